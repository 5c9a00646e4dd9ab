"""What is public, by properties: every range of the registries, and every disguise of an IPv4 address."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorline.outbound.public_address import is_public

IANA_V4 = """
    0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29
    192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24
    192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
    255.255.255.255/32
"""
IANA_V6 = """
    ::1/128 ::/128 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:1::1/128 2001:1::2/128 2001:1::3/128
    2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32 2002::/16
    2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8 ::/96
"""
REGISTRY_V4, REGISTRY_V6 = IANA_V4.split(), IANA_V6.split()
METADATA = [
    "169.254.169.254", "169.254.170.2", "192.0.0.192", "168.63.129.16", "100.100.100.200", "fd00:ec2::254",
    "fd20:ce::254", "fe80::a9fe:a9fe",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
          "192.0.1.0", "168.63.129.17", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00::1",
          "2001:200::1", "2003::1"]  # fmt: skip

in_v4 = st.sampled_from(REGISTRY_V4).flatmap(lambda block: st.ip_addresses(network=block))
in_v6 = st.sampled_from(REGISTRY_V6).flatmap(lambda block: st.ip_addresses(network=block))


def disguises(address: IPv4Address) -> list[str]:
    """Every IPv6 address that may lead to an IPv4 address."""
    number = int(address)
    prefixes = ["::ffff:0:0", "::", "64:ff9b::", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff::"]
    tails = [str(IPv6Address(int(IPv6Address(prefix)) | number)) for prefix in prefixes]
    six_to_four = IPv6Address((0x2002 << 112) | (number << 80) | 1)
    teredo = IPv6Address((0x2001_0000 << 96) | (number ^ 0xFFFF_FFFF))
    teredo_server = IPv6Address((0x2001_0000 << 96) | (number << 64) | 1)
    local_nat64 = IPv6Address((0x0064_FF9B_0001 << 80) | (number >> 16 << 64) | ((number & 0xFFFF) << 40))
    return [*tails, str(six_to_four), str(teredo), str(teredo_server), str(local_nat64)]


@given(in_v4)
def test_no_special_ipv4_address_is_public_in_any_disguise(address):
    assert [text for text in (str(address), *disguises(address)) if is_public(text)] == []


@given(in_v6)
def test_no_special_ipv6_address_is_public(address):
    assert not is_public(str(address))


@pytest.mark.parametrize("address", METADATA)
def test_no_clouds_metadata_are_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("block", REGISTRY_V4 + REGISTRY_V6)
def test_first_and_last_address_of_a_block_are_not_public(block):
    network = ip_network(block)
    assert not is_public(str(network[0]))
    assert not is_public(str(network[-1]))


@pytest.mark.parametrize("address", PUBLIC)
def test_neighbours_of_the_blocks_are_public(address):
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_nat64_and_mapped_addresses_are_judged_by_their_target(address):
    reached = is_public(str(address))
    number = int(address)
    assert is_public(str(IPv6Address((0x0064_FF9B << 96) | number))) == reached
    assert is_public(str(IPv6Address((0xFFFF << 32) | number))) == reached


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "::1%lo", "fe80::1%eth0", "127.1", "0x7f000001"])
def test_what_is_no_public_address_is_refused_in_any_spelling(text):
    assert not is_public(text)

"""Which addresses are public: our own table, so that the answer doesn't depend on Python's patch release.

Sources: the registries of special-purpose addresses (https://www.iana.org/assignments/iana-ipv4-special-registry and
iana-ipv6-special-registry) and of multicast, read in November 2026. Blocks that a registry calls globally reachable
are in the table as well: no web server has such an address.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

_SPECIAL_V4: Final = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by a carrier's customers; Alibaba's metadata are at 100.100.100.200
        "127.0.0.0/8",  # this machine
        "168.63.129.16/32",  # Azure's host; in no registry
        "169.254.0.0/16",  # link-local; most clouds' metadata are at 169.254.169.254
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata are at 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast tunnels
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""All that is assigned to networks. Outside it: this machine, embedded IPv4 addresses, discard, segment
routing, unique local (with AWS's metadata at fd00:ec2::254), link-local, site-local, multicast, and unassigned.
"""
_SPECIAL_V6: Final = tuple(
    ip_network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, AMT, AS112, ORCHID, drones
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: its relays lead to an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""How a network without IPv4 reaches the IPv4 address in the last 32 bits. Its local sibling 64:ff9b:1::/48 is refused:
each network decides for itself where in it the IPv4 address is.
"""


def is_public(address: str) -> bool:
    """Return whether packets to this address go to the public internet; False for an invalid address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        inner = _inner_v4(parsed)
        return _is_public_v6(parsed) if inner is None else _is_public_v4(inner)
    return _is_public_v4(parsed)


def _inner_v4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that is really reached, of a mapped address or through NAT64, if any."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in block for block in _SPECIAL_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    return address in _GLOBAL_V6 and not any(address in block for block in _SPECIAL_V6)

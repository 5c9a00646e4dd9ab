from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from kombu.utils.url import parse_url, url_to_parts

from actorline.isolated_celery import IsolatedCelery
from actorline.ledger.store import connect
from actorline.redis_connection.address import (
    checked_address,
    masked_address,
    next_database,
    socket_address,
    tls_parameters,
    with_password,
)


@pytest.mark.parametrize("spelling", ["", "?ssl_cert_reqs=required", "?ssl_cert_reqs=CERT_REQUIRED"])
def test_tls_verifies_the_certificate_in_a_spelling_for_all(spelling):
    assert checked_address(f"rediss://u:p@h:1/0{spelling}") == "rediss://u:p@h:1/0?ssl_cert_reqs=required"


@pytest.fixture
def certificates(tmp_path):
    """A CA, two certificates of it with their keys, and a key that has a pass phrase."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name in ("own", "other"):
        issued = authority.issue_cert(f"{name}@localhost")
        issued.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        issued.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{name}-both.pem")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    phrase = BestAvailableEncryption(b"phrase")
    (tmp_path / "locked.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, phrase))
    return tmp_path


@pytest.mark.parametrize("files", ["ssl_certfile={0}/own.pem&ssl_keyfile={0}/own.key", "ssl_certfile={0}/own-both.pem"])
def test_a_certificate_with_its_key_is_taken(certificates, files):
    given = tls_parameters(checked_address(f"rediss://h/0?{files.format(certificates)}"))
    assert given["ssl_certfile"].endswith(".pem")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ("ssl_ca_certs={0}/own.key", "ssl_ca_certs can.t be read as certificates .no certificate or crl found"),
        ("ssl_keyfile={0}/own.key", "ssl_keyfile needs ssl_certfile"),
        ("ssl_certfile={0}/own.pem", "ssl_certfile can.t be used with its key .not found"),
        (
            "ssl_certfile={0}/own.pem&ssl_keyfile={0}/other.key",
            "with its key .key values mismatch.*belongs to the cert",
        ),
        ("ssl_certfile={0}/other.pem&ssl_keyfile={0}/locked.key", "has no pass phrase"),
    ],
)
def test_certificates_that_cannot_be_used_are_refused(certificates, files, words):
    with pytest.raises(ValueError, match=words):
        checked_address(f"rediss://h/0?{files.format(certificates)}")


def test_own_ca_is_kept_for_the_next_database_too(certificates):
    tmp_path = certificates
    address = checked_address(f"rediss://h/3?ssl_ca_certs={tmp_path}/ca.pem")
    assert address == f"rediss://h/3?ssl_ca_certs={tmp_path}/ca.pem&ssl_cert_reqs=required"
    assert next_database(address) == address.replace("/3?", "/4?")
    assert tls_parameters(address) == {"ssl_ca_certs": f"{tmp_path}/ca.pem", "ssl_cert_reqs": "required"}


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("amqp://h", "must begin with redis://"),
        ("redis+cluster://h/0", "Redis Cluster.*isn.t supported"),
        ("redis://h:1,h:2/0", "a Redis Cluster isn.t supported; sentinels are named by sentinel://"),
        ("sentinel://h:26379/0", "must name the primary as its sentinels know it: .master=mymaster"),
        ("sentinel://h:1;sentinel://h:2/0?master=m", "port must be a number"),
        ("sentinel://h:1,:2/0?master=m", "each sentinel must be HOST or HOST:PORT"),
        ("sentinel://h:66000/0?master=m", "port must be a number up to 65535"),
        ("sentinel://h/0?master=m&ssl_cert_reqs=none", "needs TLS: begin with sentinels://"),
        ("redis://h/zero", "must be a number"),
        ("redis://h:66000/0", "port must be a number up to 65535"),
        ("redis://:pass/word@h/0", "with / . # : @ is percent-encoded"),
        ("redis://:12/word@h/0", "with / . # : @ is percent-encoded"),
        ("rediss://h/0?ssl_cert_reqs=yes", "ssl_cert_reqs must be required, optional or none"),
        ("rediss://h/0?ssl_ca_certs=/no/such.pem", "ssl_ca_certs must be the absolute path of an existing file"),
        ("rediss://h/0?ssl_ca_certs=ca.pem", "absolute path"),
        ("redis://h/0?ssl_cert_reqs=required", "needs TLS: begin with rediss://"),
        ("redis://h/0?timeot=3", "timeot that is not known"),
        ("redis+socket:///s?password=hush", "begin with redis.socket://USER:PASSWORD@"),
        ("redis://h/0?username=app", "begin with redis://USER:PASSWORD@"),
    ],
)
def test_nonsense_is_refused_in_words(address, words):
    with pytest.raises(ValueError, match=words) as caught:
        checked_address(address)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://h/0", "redis://h/0"),
        ("redis://app:s3cret@h:6379/0", "redis://app:***@h:6379/0"),
        ("rediss://:s3cret@h/0?ssl_cert_reqs=none", "rediss://:***@h/0?ssl_cert_reqs=none"),
        ("redis+socket://:s3cret@/run/s?virtual_host=1", "redis+socket://:***@/run/s?virtual_host=1"),
        (
            "sentinels://u:s3cret@h,i/0?master=m&sentinel_password=qu%2Fiet",
            "sentinels://u:***@h,i/0?master=m&sentinel_password=***",
        ),
    ],
)
def test_password_is_masked_wherever_it_may_stand(address, shown):
    assert masked_address(address) == shown


def test_password_of_a_file_is_encoded_and_replaces_no_other():
    assert with_password("redis://h:1/0", "a/b#c?d@e:f%") == "redis://:a%2Fb%23c%3Fd%40e%3Af%25@h:1/0"
    assert parse_url(with_password("redis://app@h/0", "a/b@"))["password"] == "a/b@"
    assert with_password("redis+socket:///run/s", "x") == "redis+socket://:x@/run/s"
    assert with_password("redis://u:own@h/0", "x") == "redis://u:own@h/0"


SPECIAL = ["plain", "a/b#c?d@e:f%", "semi;colon", "pl+us", "sp ace", "ümlaut", "%41", "q'u\"o", "[x]"]


@pytest.mark.parametrize("password", SPECIAL)
@pytest.mark.parametrize("address", ["redis://h:1/3", "redis://app@h:1/3", "redis+socket:///run/s?virtual_host=3"])
def test_any_password_reaches_each_client(address, password):
    full = checked_address(with_password(address, password))
    app = IsolatedCelery("x", broker=full, backend=full, settings={}, set_as_current=False)
    ledger = connect(full).connection_pool.connection_kwargs
    assert (ledger["password"], ledger["db"]) == (password, 3)
    assert (app.backend.connparams["password"], app.backend.connparams["db"]) == (password, 3)
    broker = app.connection()
    assert (broker.password or url_to_parts(broker.hostname).password) == password


@pytest.mark.parametrize("password", ["p@ss", "a;b", "pl+us", "100%"])
def test_password_that_only_some_clients_could_read_is_encoded(password):
    address = checked_address(f"redis://:{password}@h/0")
    assert parse_url(address)["password"] == password
    assert checked_address(address) == address


@pytest.mark.parametrize("name", ["plain", "ha#sh", "qu?e", "per%41cent", "sp ace+plus", "ümlaut", "a&b=c@d:e"])
def test_any_path_of_a_socket_reaches_each_client(name):
    path = Path("/srv") / name / "s"
    address = next_database(socket_address(path))
    app = IsolatedCelery("x", broker=address, backend=address, settings={}, set_as_current=False)
    ledger = connect(address).connection_pool.connection_kwargs
    assert (ledger["path"], ledger["db"]) == (str(path), 1)
    assert (app.backend.connparams["path"], app.backend.connparams["db"]) == (str(path), 1)
    assert url_to_parts(app.connection().hostname).path == str(path)[1:]

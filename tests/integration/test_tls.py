"""`rediss://`: what is ordered over TLS is done, and a certificate that isn't trusted is told in words."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

import pytest
import trustme
from real_parts import serving

from actorline.client import Client
from actorline.errors import Unavailable


@dataclass(frozen=True)
class TlsRedis:
    """Valkey behind TLS: its address without parameters, and the CA that signed its certificate."""

    address: str
    ca: Path
    authority: trustme.CA


class TlsProxy(ThreadingTCPServer):
    """Ends TLS before Valkey's socket: the Valkey of the tests is built without TLS."""

    daemon_threads = True
    allow_reuse_address = True
    context: ssl.SSLContext
    behind: str


class Pipe(BaseRequestHandler):
    server: TlsProxy

    def handle(self) -> None:
        try:
            outside = self.server.context.wrap_socket(self.request, server_side=True)
        except (ssl.SSLError, OSError):
            return  # the client doesn't trust us
        with outside, socket.socket(socket.AF_UNIX) as inside:
            inside.connect(self.server.behind)
            back = threading.Thread(target=copy, args=(inside, outside))
            back.start()
            copy(outside, inside)
            back.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while block := source.recv(65536):
            target.sendall(block)
        target.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


@contextmanager
def running_proxy(valkey: str, folder: Path, *, asks_for_certificate: bool = False) -> Iterator[TlsRedis]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    with TlsProxy(("127.0.0.1", 0), Pipe) as server:
        server.behind = urlsplit(valkey).path
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(server.context)
        if asks_for_certificate:
            authority.configure_trust(server.context)
            server.context.verify_mode = ssl.CERT_REQUIRED
        with serving(server):
            yield TlsRedis(f"rediss://localhost:{server.server_address[1]}/9", folder / "ca.pem", authority)


@pytest.fixture(scope="module")
def tls_redis(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    with running_proxy(valkey, tmp_path_factory.mktemp("tls")) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("query", "environment"),
    [pytest.param("", True, marks=pytest.mark.thorough), ("?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs={ca}", False)],
    ids=["trusted by the system", "own CA"],
)
def test_a_job_over_tls_is_delivered(terminal, tls_redis, query, environment):
    terminal.environment["ACTORLINE_REDIS_URL"] = tls_redis.address + query.format(ca=tls_redis.ca)
    terminal.environment["ACTORLINE_NAMESPACE"] = f"tls{environment:d}"
    if environment:
        terminal.environment["SSL_CERT_FILE"] = str(tls_redis.ca)
    actor = terminal.emulator.actor("tls", items=10, duration_secs=0)
    done = terminal.run("--json", key=f"tls{environment:d}", actor=actor).end()
    assert (done.code, done.json["items"], "Traceback" in done.err) == (0, 10, False)


@pytest.mark.thorough
def test_an_untrusted_certificate_is_told_as_such(terminal, tls_redis):
    done = terminal("run", "demo/rows", "--key", "untrusted", ACTORLINE_REDIS_URL=tls_redis.address)
    assert done.code == 7
    assert "its certificate is not trusted (unable to get local issuer certificate)" in done.err
    assert "ssl_ca_certs" in done.err
    assert "running?" not in done.err
    by_another_name = tls_redis.address.replace("localhost", "127.0.0.1") + f"?ssl_ca_certs={tls_redis.ca}"
    other = terminal("jobs", ACTORLINE_REDIS_URL=by_another_name)
    assert (other.code, "write the host in the address" in other.err, "ssl_ca_certs" in other.err) == (7, True, False)
    plain = terminal("jobs", ACTORLINE_REDIS_URL=tls_redis.address.replace("rediss", "redis"))
    assert (plain.code, "begin the address with rediss://" in plain.err) == (7, True)
    worker = terminal("worker", "control", ACTORLINE_REDIS_URL=tls_redis.address)
    assert (worker.code, "certificate is not trusted" in worker.err, "Traceback" in worker.err) == (7, True, False)
    with (
        Client(tls_redis.address, tls_redis.address) as client,
        pytest.raises(Unavailable, match="certificate is not trusted"),
    ):
        client.submit({"key": "untrusted", "actor": "demo/rows"})
    assert terminal.emulator.starts("demo/rows") == []


@pytest.mark.thorough
def test_a_certificate_of_the_clients_own_is_shown_and_missed(terminal, valkey, tmp_path):
    with running_proxy(valkey, tmp_path, asks_for_certificate=True) as proxy:
        address = f"{proxy.address}?ssl_ca_certs={proxy.ca}"
        missing = terminal("run", "demo/rows", "--key", "no-certificate", ACTORLINE_REDIS_URL=address)
        assert (missing.code, "Traceback" in missing.err) == (7, False)
        assert "a certificate of the client's own" in missing.err
        assert "ssl_certfile" in missing.err

        own = proxy.authority.issue_cert("actorline@localhost")
        own.private_key_pem.write_to_path(tmp_path / "key.pem")
        for pem in own.cert_chain_pems:
            pem.write_to_path(tmp_path / "cert.pem", append=True)
        own_address = f"{address}&ssl_certfile={tmp_path}/cert.pem&ssl_keyfile={tmp_path}/key.pem"
        terminal.environment |= {"ACTORLINE_REDIS_URL": own_address, "ACTORLINE_NAMESPACE": "mutual"}
        actor = terminal.emulator.actor("mutual-tls", items=10, duration_secs=0)
        done = terminal.run("--json", key="mutual", actor=actor).end()
        assert (done.code, done.json["items"]) == (0, 10)

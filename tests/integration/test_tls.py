"""`rediss://`: what is ordered over TLS is done, and a certificate that isn't trusted is told in words."""

import socket
import ssl
import threading
from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def tls_redis(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    with TlsProxy(("127.0.0.1", 0), Pipe) as server:
        server.behind = urlsplit(valkey).path
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(server.context)
        with serving(server):
            yield TlsRedis(f"rediss://localhost:{server.server_address[1]}/9", folder / "ca.pem")


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
    worker = terminal("worker", "control", ACTORLINE_REDIS_URL=tls_redis.address)
    assert (worker.code, "certificate is not trusted" in worker.err, "Traceback" in worker.err) == (7, True, False)
    with (
        Client(tls_redis.address, tls_redis.address) as client,
        pytest.raises(Unavailable, match="certificate is not trusted"),
    ):
        client.submit({"key": "untrusted", "actor": "demo/rows"})
    assert terminal.emulator.starts("demo/rows") == []

"""TLS and proxies hold for every request alike: what is asked, and the start that costs money."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from actorline.cli.ordering.preflight import check_order
from actorline.errors import Unavailable
from actorline.jobs.document.job_document import JobDocument
from actorline.outbound import authorities
from actorline.platform.client import Platform
from actorline.platform.errors import MissingLibrary, PlatformUnavailable
from actorline.platform.start import SendBy, StartDeferred, StartRequest, start_run
from actorline.settings import Settings

RUN = b'{"data": {"id": "r1"}}'


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(RUN)))
        self.end_headers()
        self.wfile.write(RUN)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company's own authority, as a file: its certificate is also the server's, with the key behind it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A company's authority")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "authority.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.fixture(scope="module")
def url(authority: Path) -> Iterator[str]:
    """An API behind TLS."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in authorities.AUTHORITIES_VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def platform(url: str) -> Platform:
    return Platform(url, SecretStr("apify_api_hush"), user_agent="x", sleep=lambda _: None)


def ask(url: str) -> str:
    return str(platform(url).get_data("x")["id"])


def start(url: str) -> str:
    request = StartRequest(actor="demo/x", actor_task=None, body=b"{}", query={}, marker="m")
    return start_run(platform(url), request, send_by=SendBy(10), announce=lambda: None)


both = pytest.mark.parametrize("call", [ask, start])


@both
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_companys_own_authority_holds_for_every_request(url, authority, monkeypatch, call, variable):
    monkeypatch.setenv(variable, str(authority))
    assert call(url) == "r1"


@both
def test_unknown_authority_is_refused_by_every_request(url, call: Callable[[str], str]):
    with pytest.raises((PlatformUnavailable, StartDeferred), match="CERTIFICATE_VERIFY_FAILED"):
        call(url)


@both
def test_file_that_holds_no_certificate_is_named(url, monkeypatch, tmp_path, call):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises((PlatformUnavailable, StartDeferred), match=r"REQUESTS_CA_BUNDLE names .*gone\.pem"):
        call(url)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A proxy that the environment names; where it was asked to connect to."""
    asked: list[str] = []

    class Proxy(Handler):
        def do_CONNECT(self) -> None:
            asked.append(self.path)
            host, _, port = self.path.partition(":")
            with socket.create_connection((host, int(port))) as server:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=_copy, args=(server, self.connection))
                back.start()
                _copy(self.connection, server)
                back.join()
            self.close_connection = True

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    proxy.daemon_threads = True
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.server_port}")
    monkeypatch.setenv("NO_PROXY", "elsewhere.example")
    yield asked
    proxy.shutdown()
    thread.join()
    proxy.server_close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(65536):
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@both
def test_proxy_of_the_environment_is_used_by_every_request(url, authority, connected, monkeypatch, call):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    assert call(url) == "r1"
    assert connected == [url.removeprefix("https://")]


@both
def test_unknown_authority_is_refused_through_a_proxy(url, connected, call):
    with pytest.raises((PlatformUnavailable, StartDeferred), match="CERTIFICATE_VERIFY_FAILED"):
        call(url)
    assert connected


@both
def test_proxy_that_cannot_be_reached_is_not_passed_by(url, authority, monkeypatch, call):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "elsewhere.example")
    with pytest.raises((PlatformUnavailable, StartDeferred)):
        call(url)


@both
def test_socks_proxy_without_its_library_is_named(url, monkeypatch, call):
    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", _missing)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "elsewhere.example")
    with pytest.raises((MissingLibrary, StartDeferred), match="pip install pysocks") as error:
        call(url)
    assert getattr(error.value, "attempts", 1) == 1


def test_order_through_a_proxy_that_cannot_be_used_is_refused(url, monkeypatch):
    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", _missing)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "elsewhere.example")
    settings = Settings(api_url=url, apify_token=SecretStr("apify_api_hush"))
    with pytest.raises(Unavailable, match=r"pip install pysocks.* Nothing was started"):
        check_order(JobDocument(actor="user/name"), settings)


def test_authorities_are_read_once_for_all_connections(url, authority, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    start(url)
    monkeypatch.setattr(authorities, "create_urllib3_context", _never)
    monkeypatch.setattr("urllib3.connection.create_urllib3_context", _never)
    assert [start(url) for _ in range(3)] == ["r1"] * 3


def _never(*_: object, **__: object) -> None:
    raise AssertionError


def _missing(*_: object, **__: object) -> None:
    raise requests.exceptions.InvalidSchema

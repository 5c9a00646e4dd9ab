"""Servers that drip, never end, never accept or lead elsewhere cost no more than the deadline, and are told nothing."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import requests
from structlog.testing import capture_logs

from actorline.outbound import exchange as exchange_module
from actorline.outbound.exchange import TookTooLong, Unreachable, exchange

WITHIN_S = 0.6
HEAD = b"HTTP/1.1 200 OK\r\n"
LISTED = ["127.0.0.1", "host.example"]


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that talks to each connection as it likes; gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=speak, args=(connection,)))
                threads[-1].start()

    def speak(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            talk(connection)

    accepting = threading.Thread(target=serve)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join(60)
            assert not thread.is_alive(), "the connection was left open"


def drip(before: bytes) -> Callable[[socket.socket], None]:
    """One byte after the other, until the other side hangs up."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(before)
        connection.settimeout(0.05)
        while True:
            connection.sendall(b"x")
            with suppress(TimeoutError):
                if connection.recv(65_536) == b"":
                    return

    return talk


def keep_silent(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def pour(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"\r\n")
    while True:
        connection.sendall(b"x" * 65_536)


def continue_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def get(url: str, hosts: list[str] = LISTED, within_s: float = 60) -> bytes:
    with exchange(hosts, within_s=within_s) as session, session.get(url, timeout=15, stream=True) as response:
        return b"".join(response.iter_content(65_536))


@pytest.mark.parametrize(
    "talk",
    [
        drip(b""),
        drip(HEAD + b"X: "),
        drip(HEAD + b"\r\n"),
        drip(HEAD + b"Content-Length: 1000000\r\n\r\n"),
        drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
        keep_silent,
        pour,
        continue_for_ever,
    ],
    ids=["status", "head", "body", "body of known length", "chunks", "silence", "endless", "endless heads"],
)
def test_server_that_never_finishes_is_left_at_the_deadline(talk):
    with serving(talk) as port, pytest.raises(TookTooLong):
        get(f"http://127.0.0.1:{port}/", within_s=WITHIN_S)


def test_connection_that_is_cut_is_reset():
    """Only closed, it would leave a server with a full window waiting for seconds, until its next probe."""
    is_left, failures = threading.Event(), []

    def send_afterwards(connection: socket.socket) -> None:
        connection.recv(65_536)
        is_left.wait(60)
        try:
            connection.sendall(b"x")
        except OSError as error:
            failures.append(error)

    with serving(send_afterwards) as port:
        with pytest.raises(TookTooLong):
            get(f"http://127.0.0.1:{port}/", within_s=WITHIN_S)
        is_left.set()
    assert len(failures) == 1


def test_handshake_that_never_ends_is_left_at_the_deadline():
    with serving(drip(b"\x16\x03\x03\x40\x00")) as port, pytest.raises(TookTooLong):
        get(f"https://127.0.0.1:{port}/", within_s=WITHIN_S)


def test_server_that_never_accepts_is_left_at_the_deadline():
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    address = full.getsockname()
    with full, socket.create_connection(address), pytest.raises((TookTooLong, Unreachable)):
        get(f"http://127.0.0.1:{address[1]}/", within_s=WITHIN_S)


def test_look_up_that_never_ends_is_left_at_the_deadline(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [release.wait(10)][1:])
    began = time.monotonic()
    with pytest.raises((TookTooLong, Unreachable)):
        get("http://host.example/", within_s=WITHIN_S)
    assert time.monotonic() - began < WITHIN_S + 5
    release.set()


def resolving(monkeypatch: pytest.MonkeyPatch, *found: list[str]) -> list[str]:
    """Let names lead to these addresses, look-up by look-up; gives the names that were looked up."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        addresses = found[min(len(asked), len(found)) - 1]
        if not addresses:
            raise socket.gaierror(-2, "Name or service not known")
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in address], socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["169.254.169.254"], []],
)
def test_name_with_any_private_address_is_not_called(monkeypatch, addresses):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        resolving(monkeypatch, addresses)
        called: list[object] = []
        monkeypatch.setattr(exchange_module, "_first", lambda *args: called.append(args))
        with pytest.raises(Unreachable):
            get(f"http://host.example:{port}/", hosts=[])
    assert called == []


def test_closed_private_and_unknown_hosts_read_alike(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as open_port:
        port = open_port.getsockname()[1]
    said, logged = set(), []
    for addresses in (["127.0.0.1"], ["10.0.0.1"], []):
        resolving(monkeypatch, addresses)
        with capture_logs() as logs, pytest.raises(Unreachable) as raised:
            get(f"http://host.example:{port}/", hosts=[] if addresses != ["127.0.0.1"] else LISTED)
        said.add(str(raised.value))
        logged += [entry["cause"] for entry in logs]
    assert len(said) == 1
    assert [cause for cause in logged if "refused" in cause or "10.0.0.1" in cause or "not known" in cause] == logged
    assert len(logged) == 3


def test_name_is_looked_up_once_and_the_checked_address_called(monkeypatch):
    asked = resolving(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    called = []

    def refuse(addresses: list[tuple[object, tuple[str, int]]], *_: object) -> socket.socket:
        called.extend(address[0] for _, address in addresses)
        raise ConnectionRefusedError

    monkeypatch.setattr(exchange_module, "_first", refuse)
    with pytest.raises(Unreachable):
        get("http://host.example/", hosts=[])
    assert (asked, called) == (["host.example"], ["93.184.215.14"])


def test_peer_of_the_connection_is_checked_again(monkeypatch):
    with serving(keep_silent) as port:
        wrong = socket.create_connection(("127.0.0.1", port), timeout=5)
        resolving(monkeypatch, ["93.184.215.14"])
        monkeypatch.setattr(exchange_module, "_first", lambda *_: wrong)
        with pytest.raises(Unreachable):
            get(f"http://host.example:{port}/", hosts=[])
        assert wrong.fileno() == -1


def test_host_header_is_the_name_that_was_asked_for(monkeypatch):
    heads = []

    def talk(connection: socket.socket) -> None:
        heads.append(connection.recv(65_536))
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nok")

    with serving(talk) as port:
        resolving(monkeypatch, ["127.0.0.1"])
        get(f"http://host.example:{port}/")
    assert f"Host: host.example:{port}".encode() in heads[0]


def test_errors_within_the_deadline_are_the_callers():
    with serving(lambda connection: connection.sendall(b"nonsense\r\n\r\n")) as port:
        address = f"http://127.0.0.1:{port}/"
        with pytest.raises(requests.RequestException):
            get(address)

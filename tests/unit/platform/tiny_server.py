"""A real HTTP server of a few lines: it keeps every request and responds with the bytes it is given, or not at all."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Reply = Callable[[socket.socket], None]


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class TinyServer:
    """`respond` decides by the request; each connection carries one."""

    url: str
    respond: Callable[[Request], Reply]
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    is_done: threading.Event = field(default_factory=threading.Event)


@contextmanager
def tiny_server(respond: Callable[[Request], Reply]) -> Iterator[TinyServer]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = TinyServer(f"http://127.0.0.1:{listener.getsockname()[1]}", respond)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            with connection, suppress(OSError):
                request = _read(connection)
                if request:
                    server.requests.append(request)
                    server.respond(request)(connection)
            server.is_done.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(60)


def _read(connection: socket.socket) -> Request | None:
    with connection.makefile("rb") as file:
        first = file.readline().decode("latin-1").split()
        if len(first) != 3 or not first[2].startswith("HTTP/"):  # nothing, or a client that speaks TLS
            return None
        lines = iter(lambda: file.readline().decode("latin-1").strip(), "")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Request(first[0], first[1], headers, file.read(int(headers.get("content-length", 0))))


def reply(status: int, body: Any = b"", **headers: str) -> Reply:
    """A whole reply; what isn't bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "text/html" if isinstance(body, bytes) else "application/json"
    lines = {"Content-Type": kind, "Content-Length": str(len(content)), "Connection": "close", **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return raw(f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content)


def raw(content: bytes) -> Reply:
    """These bytes, and the end of the connection."""
    return lambda connection: connection.sendall(content)


def drip(head: bytes, content: bytes) -> Reply:
    """The head, and then byte by byte, 50 a second, the content until the client gives up."""

    def send(connection: socket.socket) -> None:
        connection.sendall(head)
        for byte in content:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    return send


def silence(connection: socket.socket) -> None:
    """No reply until the client gives up."""
    connection.settimeout(5)
    connection.recv(1)

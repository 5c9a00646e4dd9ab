"""A toll gate before the emulator: every request of a worker passes it, and at a chosen one the worker dies."""

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

BEFORE, AFTER, AMID = "before", "after", "amid"
"""When the worker dies: the platform hasn't seen the request; it has carried it out, but its reply is not sent; half of
the reply is sent."""


@dataclass(frozen=True)
class Point:
    """The `nth` request whose `METHOD path` matches, counted from 1."""

    request: str
    nth: int
    moment: str


@dataclass
class TollGate:
    """What passes through all of its ports together, and who dies of it."""

    upstream: str
    point: Point | None
    doomed: dict[str, int] = field(default_factory=dict)
    """URL of a port -> id of the process that uses it."""
    passed: list[tuple[float, str]] = field(default_factory=list)
    """Unix time and `METHOD path` of every request, as it came."""
    _seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def let_pass(self, request: str) -> str | None:
        """Note a request; returns at which moment of it the worker dies, if at any."""
        with self._lock:
            self.passed.append((time.time(), request))
            if self.point is None or not re.search(self.point.request, request):
                return None
            self._seen += 1
            return self.point.moment if self._seen == self.point.nth else None

    @contextmanager
    def address(self) -> Iterator[str]:
        """A port of the gate, for one worker; returns its URL."""
        server = _Server(self)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.url
        finally:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, gate: TollGate) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gate = gate
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:  # the worker at the other end is dead
            self.close_connection = True

    def pass_on(self) -> None:
        moment = self.server.gate.let_pass(f"{self.command} {urlsplit(self.path).path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if moment == BEFORE:
            self._die()
            return
        status, headers, reply = self._ask(body)
        if moment == AFTER:
            self._die()
            return
        self._send_head(status, headers, len(reply))
        if moment == AMID:
            self.wfile.write(reply[: len(reply) // 2])
            self._die()
            return
        self.wfile.write(reply)

    do_GET = do_POST = do_PUT = do_DELETE = pass_on  # noqa: N815 - the names that http.server asks for

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = HTTPConnection(urlsplit(self.server.gate.upstream).netloc, timeout=30)
        try:
            upstream.request(self.command, self.path, body or None, dict(self.headers.items()))
            response = upstream.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            upstream.close()

    def _send_head(self, status: int, headers: list[tuple[str, str]], size: int) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def _die(self) -> None:
        os.kill(self.server.gate.doomed[self.server.url], signal.SIGKILL)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        del format, args

"""A second Apify API: small, strict, and with habits of its own.

Written from the platform's reference alone, it shares nothing with the emulator, so what works with both rests on the
habits of neither. An account (a token) is a small platform with `Habits` of its own. What a request does that the
reference doesn't name is noted as a violation.
"""

import gzip
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, unquote

from other_api_account import OUTPUT, Account, Habits, Response, Trouble, error
from other_api_rules import ENDPOINTS, Request, violations


class OtherApi:
    """Two servers: the API, and the storage to which it may redirect. `url` is the API's."""

    def __init__(self, habits: Mapping[str, Habits]) -> None:
        self.violations: list[str] = []
        """Of requests that can't be told to be an account's."""
        self.elsewhere: list[dict[str, str]] = []
        """The headers of each request to the storage."""
        self._servers = [_Server(_Handler, self), _Server(_Elsewhere, self)]
        self.url = f"http://127.0.0.1:{self._servers[0].server_port}"
        self.accounts = {name: Account(name, each, self._elsewhere_at) for name, each in habits.items()}
        self._by_header = {f"Bearer {account.token}": account for account in self.accounts.values()}
        self.lock = threading.Lock()

    def _elsewhere_at(self, host: str) -> str:
        return f"http://{host}:{self._servers[1].server_port}"

    def account_of(self, request: Request) -> Account | None:
        return self._by_header.get(request.headers.get("authorization", ""))

    @contextmanager
    def running(self) -> Iterator["OtherApi"]:
        threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in self._servers]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            for server, thread in zip(self._servers, threads, strict=True):
                server.shutdown()
                server.server_close()
                thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler], api: OtherApi) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.api = api

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30  # of an idle connection
    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def respond(self) -> None:
        api = self.server.api
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pairs = parse_qsl(query, keep_blank_values=True)
        headers = {name.lower(): value for name, value in self.headers.items()}
        found = [
            (name, match)
            for name, (method, pattern, _) in ENDPOINTS.items()
            if (match := re.fullmatch(pattern, path)) and method == self.command
        ]
        name = found[0][0] if found else ""
        request = Request(name, self.command, self.path, dict(pairs), headers, body, time.time())
        with api.lock:
            account = api.account_of(request)
            wrongs = api.violations if account is None else account.violations
            wrongs += [
                f"{self.command} {self.path}: {wrong}" for wrong in violations(request, pairs, list(self.headers))
            ]
            if account is None:
                if name != "me":  # a worker asks whose its tokens are
                    api.violations.append(f"{self.command} {path}: nobody's token")
                response, trouble = error(401, "user-or-token-not-found"), Trouble()
            elif not found:
                response, trouble = error(404, "page-not-found"), Trouble()
            else:
                account.requests.append(request)
                response, trouble = account.respond(request, [unquote(group) for group in found[0][1].groups()])
        time.sleep(trouble.delay_secs)
        self._send(response, account.habits if account else Habits(), trouble.cut)

    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond  # noqa: N815

    def _send(self, response: Response, habits: Habits, cut: str) -> None:
        if cut == "lost":
            self._reset()
            return
        body, headers = response.body, {"Content-Type": response.content_type, **response.headers}
        if habits.compression == "gzip" and "gzip" in self.headers.get("Accept-Encoding", "") and body:
            body, headers = gzip.compress(body), headers | {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        if habits.framing == "length":
            headers["Content-Length"] = str(len(body) + (50 if cut == "short" else 0))
        elif habits.framing == "chunked":
            headers["Transfer-Encoding"] = "chunked"
        if habits.closes or habits.framing == "close" or cut:
            headers["Connection"] = "close"
            self.close_connection = True
        self.send_response_only(response.status)
        for name, value in headers.items():
            self.send_header(name.lower() if habits.lowercase else name, value)
        self.end_headers()
        sent = body[: len(body) // 2] if cut == "reset" else body
        if habits.framing == "chunked":
            for start, end in pairwise([*range(0, len(sent), 999), len(sent)]):
                self.wfile.write(b"%x\r\n%s\r\n" % (end - start, sent[start:end]))
            self.wfile.write(b"" if cut else b"0\r\n\r\n")
        else:
            self.wfile.write(sent)
        if cut == "reset":
            self._reset()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


class _Elsewhere(BaseHTTPRequestHandler):
    """The storage behind a redirect: its URL is all the permission it wants."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.api.elsewhere.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(OUTPUT)))
        self.end_headers()
        self.wfile.write(OUTPUT)

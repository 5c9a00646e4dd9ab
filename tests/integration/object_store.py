"""An S3 server for tests: moto in a process of its own, behind a proxy that can be slow, shut, or refuse."""

import contextlib
import http.client
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.store import S3Store
from real_parts import free_port, serving, wait_for


@dataclass
class Fault:
    """What becomes of a request whose `METHOD /bucket/key` matches: a status instead of a response (0: no response),
    after so many seconds; at most so many times.
    """

    pattern: str
    status: int | None = None
    delay_secs: float = 0
    times: int = 1_000_000


@dataclass
class ObjectStore:
    """`url`: its endpoint, with the faults; `seen`: each `METHOD /bucket/key` that came; `one_at_a_time`: for writes
    with a condition, which moto checks some time before it writes, as S3 doesn't.
    """

    url: str
    server: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def environment(self) -> dict[str, str]:
        """As the clouds' own tools are told of it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "AKIAACTORLINE",
            "AWS_SECRET_ACCESS_KEY": "hidden-in-the-environment",
            "AWS_REGION": "us-east-1",
        }

    def make_bucket(self, name: str) -> str:
        self._send("PUT", f"/{name}")
        return name

    def demand_known_keys(self, *, demanded: bool) -> None:
        """Whether access keys that the server doesn't know, which are all, are refused."""
        self._send("POST", "/moto-api/reset-auth", b"0" if demanded else b"inf")

    def files(self, url: str) -> dict[str, bytes]:
        """Name -> bytes of all that lies below an `s3://` URL, staged and hidden things too."""
        parts = urlsplit(url)
        prefix = parts.path.lstrip("/")
        store = S3Store(
            parts.netloc,
            endpoint=self.server,
            access_key_id="k",
            secret_access_key="s",
            client_options={"allow_http": True},
        )
        keys = [found["path"] for block in obstore.list(store, prefix) for found in block]
        return {key.removeprefix(prefix): bytes(obstore.get(store, key).bytes()) for key in keys}

    def remove(self, url: str) -> None:
        parts = urlsplit(url)
        self._send("DELETE", f"/{parts.netloc}{parts.path}")

    def uploads(self, bucket: str) -> int:
        """Multipart uploads that were begun and neither completed nor aborted."""
        return self._send("GET", f"/{bucket}?uploads").count(b"<UploadId>")

    def _send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.server + path, body, {"Content-Type": "text/plain"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.read()


@contextmanager
def running_object_store() -> Iterator[ObjectStore]:
    port = free_port()
    moto = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), _Proxy)
    proxy.daemon_threads = True
    store = ObjectStore(f"http://127.0.0.1:{proxy.server_port}", f"http://127.0.0.1:{port}")
    proxy.object_store = store
    try:
        with serving(proxy):
            wait_for(lambda: _is_up(port), what="the S3 server")
            yield store
    finally:
        moto.terminate()
        moto.wait(60)


def _is_up(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_any(self) -> None:
        store: ObjectStore = self.server.object_store
        asked = f"{self.command} {self.path}"
        store.seen.append(asked)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = next((one for one in store.faults if one.times > 0 and re.search(one.pattern, asked)), None)
        if fault:
            fault.times -= 1
            time.sleep(fault.delay_secs)
            if fault.status == 0:
                self.close_connection = True
                return
            if fault.status:
                error = b"" if self.command == "HEAD" else b"<Error><Code>SlowDown</Code></Error>"
                self._respond(fault.status, [], error)
                return
        with store.one_at_a_time if "If-None-Match" in self.headers else contextlib.nullcontext():
            status, headers, content = self._carry_out(body)
        self._respond(status, headers, content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_any  # noqa: N815

    def _carry_out(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        address = urlsplit(self.server.object_store.server).netloc
        with contextlib.closing(http.client.HTTPConnection(address, timeout=60)) as server:
            server.request(self.command, self.path, body, dict(self.headers))
            response = server.getresponse()
            return response.status, response.getheaders(), response.read()

    def _respond(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        length = dict(headers).get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
        for name, value in headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass

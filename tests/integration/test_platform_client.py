"""The client against a real server on loopback that responds with the bytes, breaks and pauses a test asks for."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from actorline.platform import runs
from actorline.platform.client import Platform
from actorline.platform.datasets import ItemsPage, open_items
from actorline.platform.errors import NotFound, PlatformUnavailable
from actorline.platform.key_value_stores import open_record
from actorline.platform.runs import get_log_tail, list_runs
from actorline.platform.session import MAX_REDIRECTS

TOKEN = "apify_api_wJ8kZ2"


class Handler(BaseHTTPRequestHandler):
    """Hands each request to its server's `respond`, which writes what it likes."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.server.requests.append((self.command, self.path, dict(self.headers)))
        self.server.respond(self)

    do_POST = do_HEAD = do_GET  # noqa: N815

    def reply(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        sent = {"Content-Length": str(len(body))} | {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.respond: Callable[[Handler], None] = lambda request: request.reply(b'{"data": 1}')
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


@pytest.fixture
def start_server() -> Iterator[Callable[[], Server]]:
    servers: list[Server] = []

    def start() -> Server:
        servers.append(Server())
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(start_server: Callable[[], Server]) -> Server:
    return start_server()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def patience_s() -> float:
    """Seconds for which a server may be silent."""
    return 60


@pytest.fixture
def platform(
    server: Server, waits: list[float], patience_s: float, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    platform = Platform(
        server.url, SecretStr(TOKEN), user_agent="actorline/test", read_timeout_s=patience_s, sleep=waits.append
    )
    yield platform
    platform.close()


def respond_in_turn(server: Server, *responses: Callable[[Handler], None]) -> None:
    """The first request gets the first response, and so on; the last one goes on for ever."""
    waiting = list(responses)

    def respond(request: Handler) -> None:
        (waiting.pop(0) if len(waiting) > 1 else waiting[0])(request)

    server.respond = respond


def test_a_cut_connection_is_tried_again(platform, server, waits):
    respond_in_turn(server, Handler.cut, lambda request: request.reply(b'{"data": 7}'))

    assert platform.get_data("x") == 7
    assert (len(server.requests), len(waits)) == (2, 1)


@pytest.mark.parametrize("patience_s", [0.3])
def test_a_silent_server_is_unavailable_after_five_attempts(platform, server):
    released = threading.Event()
    server.respond = lambda request: (released.wait(60), request.cut())

    with pytest.raises(PlatformUnavailable, match="Read timed out") as caught:
        platform.get_data("x", {"a": "secret"})
    released.set()

    assert (caught.value.attempts, caught.value.status, len(server.requests)) == (5, None, 5)
    assert caught.value.request == f"GET {server.url}/v2/x"
    assert "secret" not in str(caught.value)


def test_a_closed_port_is_unavailable(waits):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        platform = Platform(url, SecretStr(TOKEN), user_agent="x", sleep=waits.append)
        with pytest.raises(PlatformUnavailable, match="Connection refused"):
            platform.get_data("x")
    assert len(waits) == 4


def test_a_json_answer_cut_in_its_middle_is_tried_again(platform, server):
    def half(request: Handler) -> None:
        request.reply(b'{"data": ', Content_Length="12")
        request.cut()

    respond_in_turn(server, half, lambda request: request.reply(b'{"data": 7}'))

    assert platform.get_data("x") == 7


def test_a_redirect_on_the_same_server_keeps_the_token(platform, server):
    respond_in_turn(
        server,
        lambda request: request.reply(status=307, Location="/v2/moved?a=1"),
        lambda request: request.reply(b'{"data": 7}'),
    )

    assert platform.get_data("x") == 7
    assert server.requests[1][1] == "/v2/moved?a=1"
    assert server.requests[1][2]["Authorization"] == f"Bearer {TOKEN}"


@pytest.fixture
def _netrc(platform, tmp_path, monkeypatch):
    """A file with a password for every host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login eve password netrc-secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))


@pytest.mark.usefixtures("_netrc")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_redirect_elsewhere_gets_neither_token_nor_netrc(platform, server, start_server, host):
    storage = start_server()
    storage.respond = lambda request: request.reply(b"content", Content_Type="text/plain")
    location = f"http://{host}:{storage.server_port}/bucket/key?sig=1"
    server.respond = lambda request: request.reply(status=302, Location=location)

    with open_record(platform, "s1", "OUTPUT") as record:
        assert b"".join(record.blocks(100)) == b"content"

    assert server.requests[0][2]["Authorization"] == f"Bearer {TOKEN}"
    assert "Authorization" not in storage.requests[0][2]


def test_redirects_in_a_circle_are_unavailable(platform, server):
    server.respond = lambda request: request.reply(status=302, Location="/v2/x")

    with pytest.raises(PlatformUnavailable):
        platform.get_data("x")
    assert len(server.requests) == 5 * (1 + MAX_REDIRECTS)


def test_cookies_are_not_kept(platform, server):
    server.respond = lambda request: request.reply(b'{"data": 1}', Set_Cookie="a=b; Path=/")

    platform.get_data("x")
    platform.get_data("x")

    assert "Cookie" not in server.requests[1][2]


def test_a_proxy_from_the_environment_is_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    platform = Platform("http://api.example.test", SecretStr(TOKEN), user_agent="x")

    assert platform.get_data("x") == 1
    assert server.requests[0][1] == "http://api.example.test/v2/x"
    platform.close()


def test_threads_share_one_pool(platform, server):
    barrier = threading.Barrier(8)

    def meet(request: Handler) -> None:
        barrier.wait(60)
        request.reply(b'{"data": 1}')

    server.respond = meet
    with ThreadPoolExecutor(8) as threads:
        for _ in range(3):
            assert list(threads.map(platform.get_data, ["x"] * 8)) == [1] * 8

    assert server.connections == 8


def test_pages_are_raw_and_give_their_connection_back(platform, server):
    rows = gzip.compress(b'{"a":1}\n' * 50_000)
    server.respond = lambda request: request.reply(
        rows, Content_Encoding="gzip", Content_Type="application/x-ndjson", X_Apify_Pagination_Count="50000"
    )
    buffer = memoryview(bytearray(1000))

    for _ in range(3):
        with open_items(platform, "d1", offset=0, limit=50_000, params={"format": "jsonl"}) as page:
            assert (page.is_gzip, page.content_length, page.scanned) == (True, len(rows), 50_000)
            received = bytearray()
            while size := page.readinto(buffer):
                received += buffer[:size]
        assert received == rows

    assert server.connections == 1


class Flood:
    """A response far larger than all buffers on the way; counts the readers who hung up before its end."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.hung_up = threading.Semaphore(0)

    def __call__(self, request: Handler) -> None:
        request.close_connection = True
        request.send_response(self.status)
        request.send_header("Content-Length", str(10**8))
        request.end_headers()
        try:
            for _ in range(100):
                request.connection.sendall(b"x" * 10**6)
        except OSError:
            self.hung_up.release()


def test_a_page_left_early_does_not_spoil_the_next_call(platform, server):
    flood = Flood()
    respond_in_turn(server, flood, lambda request: request.reply(b'{"data": 1}'))

    with open_items(platform, "d1", offset=0, limit=None, params={}) as page:
        assert next(page.blocks(1000)) == b"x" * 1000

    assert flood.hung_up.acquire(timeout=60)
    assert platform.get_data("x") == 1


def read_blocks(page: ItemsPage) -> None:
    list(page.blocks(64))


def read_into(page: ItemsPage) -> None:
    while page.readinto(bytearray(64)):
        pass


@pytest.mark.parametrize("read", [read_blocks, read_into])
def test_a_short_body_is_unavailable_and_not_read_again(platform, server, waits, read):
    def short(request: Handler) -> None:
        request.reply(b"x" * 100, Content_Length="1000")
        request.cut()

    server.respond = short

    broken = pytest.raises(PlatformUnavailable, match="100 bytes came, 900 more were expected")
    with open_items(platform, "d1", offset=0, limit=None, params={}) as page, broken as caught:
        read(page)

    assert caught.value.request == f"GET {server.url}/v2/datasets/d1/items"
    assert (len(server.requests), waits) == (1, [])


def test_a_chunked_body_without_its_end_is_unavailable(platform, server):
    def short(request: Handler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"4\r\nabcd\r\n")
        request.cut()

    server.respond = short

    broken = pytest.raises(PlatformUnavailable, match="broke off")
    with open_items(platform, "d1", offset=0, limit=None, params={}) as page, broken:
        list(page.blocks(2))


@pytest.mark.parametrize("patience_s", [0.3])
def test_a_body_that_stalls_is_unavailable(platform, server):
    released = threading.Event()

    def stall(request: Handler) -> None:
        request.reply(b"x" * 100, Content_Length="1000")
        released.wait(60)
        request.cut()

    server.respond = stall

    broken = pytest.raises(PlatformUnavailable, match="Read timed out")
    with open_items(platform, "d1", offset=0, limit=None, params={}) as page, broken:
        list(page.blocks(64))
    released.set()


@pytest.mark.parametrize(("encoding", "encode"), [("gzip", gzip.compress), ("identity", bytes)])
def test_a_record_is_what_the_user_stored(platform, server, encoding, encode):
    content = b"\x00stored\xff" * 10_000
    server.respond = lambda request: request.reply(encode(content), Content_Encoding=encoding, Content_Type="image/png")

    with open_record(platform, "s1", "picture") as record:
        assert record.content_type == "image/png"
        assert record.size == (len(content) if encoding == "identity" else None)
        assert b"".join(record.blocks(1000)) == content

    _, path, headers = server.requests[0]
    assert path == "/v2/key-value-stores/s1/records/picture?attachment=true"
    assert headers["Accept-Encoding"] == "gzip, deflate"


def test_a_record_with_a_damaged_encoding_is_unavailable(platform, server):
    server.respond = lambda request: request.reply(b"not gzip at all", Content_Encoding="gzip")

    with open_record(platform, "s1", "picture") as record, pytest.raises(PlatformUnavailable, match="broke off"):
        list(record.blocks(1000))


def test_a_missing_record_is_not_found(platform, server):
    body = b'{"error": {"type": "record-not-found", "message": "Record was not found"}}'
    server.respond = lambda request: request.reply(body, status=404)

    with pytest.raises(NotFound, match="Record was not found"):
        open_record(platform, "s1", "OUTPUT")


def test_a_huge_error_page_is_not_read_whole(platform, server):
    flood = Flood(status=404)
    server.respond = flood

    with pytest.raises(PlatformUnavailable, match="not the API's") as caught:
        open_record(platform, "s1", "OUTPUT")

    assert [flood.hung_up.acquire(timeout=60) for _ in range(caught.value.attempts)] == [True] * 5


def test_a_log_without_end_is_left(platform, server, monkeypatch):
    monkeypatch.setattr(runs, "LOG_MAX_BYTES", 1_000_000)
    server.respond = flood = Flood()

    assert [len(line) for line in get_log_tail(platform, "r1")] == [runs.LOG_TAIL_BYTES]
    assert flood.hung_up.acquire(timeout=60)


def test_a_long_log_is_read_through_for_its_last_lines(platform, server):
    log = b"".join(b"2026-11-24T08:00:00.000Z line %d\n" % n for n in range(100_000))
    server.respond = lambda request: request.reply(gzip.compress(log, 1), Content_Encoding="gzip")

    assert get_log_tail(platform, "r1", lines=2) == [f"2026-11-24T08:00:00.000Z line {n}" for n in (99_998, 99_999)]


def test_a_listing_whose_second_page_is_lost_does_not_end_early(platform, server):
    def page(*numbers: int) -> Callable[[Handler], None]:
        items = [
            {
                "id": f"r{n}",
                "actId": "a",
                "status": "RUNNING",
                "startedAt": f"2026-11-24T08:00:0{n}.000Z",
                "defaultDatasetId": "d",
                "defaultKeyValueStoreId": "k",
                "meta": {"origin": "API"},
            }
            for n in numbers
        ]
        return lambda request: request.reply(orjson.dumps({"data": {"items": items, "limit": 2}}))

    respond_in_turn(server, page(0, 1), Handler.cut, page(1, 2), page(2))

    runs = list_runs(platform, started_after=datetime(2026, 11, 24, 8, tzinfo=UTC))

    assert [run.id for run in runs] == ["r0", "r1", "r2"]

import gzip
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from pydantic import SecretStr
from tiny_server import Reply, TinyServer, drip, raw, reply, silence, tiny_server

from actorline.platform import body as body_module
from actorline.platform import start as start_module
from actorline.platform.client import Governor, Platform
from actorline.platform.errors import AuthFailed, CapacityExceeded, Forbidden, InvalidRequest, NotFound, RateLimited
from actorline.platform.start import (
    NotStarted,
    SendBy,
    StartDeferred,
    StartRefused,
    StartRequest,
    StartUnclear,
    start_run,
)
from actorline.stages.start.refusal import refusal_reason

TOKEN = "apify_api_hush"
MARKER = "actorline/0.1.0 (al-1f00aa/9f86d081884c7d65.1)"
RUN = {
    "id": "r1", "actId": "a1", "userId": "u1", "status": "READY", "startedAt": "2026-11-23T08:15:30.123Z",
    "buildId": "b1", "defaultDatasetId": "d1", "defaultKeyValueStoreId": "k1", "meta": {"origin": "API"},
}  # fmt: skip
STARTED = reply(201, {"data": RUN})


def refusal_of(type_: str, message: str = "The platform's words") -> dict[str, Any]:
    return {"error": {"type": type_, "message": message}}


@pytest.fixture
def server() -> Iterator[TinyServer]:
    with tiny_server(lambda _: STARTED) as server:
        yield server


def start(
    url: str,
    *,
    send_by: SendBy | None = None,
    announce: Callable[[], None] | None = None,
    governor: Governor | None = None,
    **target: Any,
) -> Any:
    platform = Platform(url, SecretStr(TOKEN), user_agent="actorline/test", governor=governor)
    options = {
        "actor": "apify/web-scraper",
        "actor_task": None,
        "body": b'{"a":1}',
        "query": {"memory": "512"},
        **target,
    }
    request = StartRequest(marker=MARKER, **options)
    try:
        return start_run(platform, request, send_by=send_by or SendBy(10), announce=announce or (lambda: None))
    finally:
        platform.close()


def outcome(server: TinyServer, response: Reply) -> BaseException:
    server.respond = lambda _: response
    with pytest.raises((NotStarted, StartUnclear)) as caught:
        start(server.url)
    assert len(server.requests) == 1
    assert TOKEN not in str(caught.value)
    return caught.value


def test_a_start_is_one_post_with_input_options_and_marker(server):
    assert start(server.url) == "r1"
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v2/actors/apify~web-scraper/runs?memory=512")
    assert request.body == b'{"a":1}'
    assert request.headers["user-agent"] == MARKER
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json"


def test_a_start_is_announced_before_its_first_byte(server):
    seen: list[int] = []
    start(server.url, announce=lambda: seen.append(len(server.requests)))
    assert seen == [0]


def test_a_start_that_cannot_be_announced_is_not_sent(server):
    class RefusedError(Exception):
        pass

    def refuse() -> None:
        raise RefusedError

    with pytest.raises(RefusedError):
        start(server.url, announce=refuse)
    assert server.requests == []


class Refusing:
    """A governor that another worker's refusal has reached."""

    def wait_for_turn(self, *_: object) -> None:
        raise RateLimited("No request was sent", retry_after_s=40)

    def learn(self, *_: object) -> None: ...


def test_a_start_that_the_platform_has_put_off_is_neither_announced_nor_sent(server):
    announced: list[str] = []
    with pytest.raises(StartDeferred) as deferred:
        start(server.url, announce=lambda: announced.append("announced"), governor=Refusing())
    assert deferred.value.error.retry_after_s == 40
    assert (announced, server.requests) == ([], [])


def test_a_start_without_a_connection_is_not_announced():
    seen: list[str] = []
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(StartDeferred):
            start(f"http://127.0.0.1:{closed.getsockname()[1]}", announce=lambda: seen.append("announced"))
    assert seen == []


def test_an_actor_task_is_started_under_its_own_path(server):
    start(server.url, actor=None, actor_task="me/nightly", query={})
    start(server.url, actor=None, actor_task="me/nightly", query={"fields": "first name,b"})
    path = "/v2/actor-tasks/me~nightly/runs"
    assert [request.path for request in server.requests] == [path, f"{path}?fields=first%20name,b"]


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("run", [{**RUN, "tomorrowsField": [1]}, {"id": "r1"}, {"id": "r1", "startedAt": "soon"}])
def test_any_answer_with_a_run_id_is_a_run(server, status, run):
    server.respond = lambda _: reply(status, {"data": run})
    assert start(server.url) == "r1"


@pytest.mark.parametrize(
    "body", [rb'{"data": {"id": "r1", "statusMessage": "\ud83d"}}', b'\xef\xbb\xbf{"data": {"id": "r1"}}']
)
def test_any_text_with_a_run_id_is_a_run(server, body):
    server.respond = lambda _: reply(201, body)
    assert start(server.url) == "r1"


@pytest.mark.parametrize(
    ("status", "type_", "error"),
    [
        (400, "invalid-input", InvalidRequest),
        (400, "limit-reached", InvalidRequest),
        (401, "user-or-token-not-found", AuthFailed),
        (402, "not-enough-usage-to-run-paid-actor", Forbidden),
        (403, "actor-is-not-rented", Forbidden),
        (403, "a-type-of-tomorrow", Forbidden),
        (404, "actor-not-found", NotFound),
        (405, "method-not-allowed", InvalidRequest),
        (409, "a-conflict", InvalidRequest),
        (413, "request-too-large", InvalidRequest),
        (415, "unsupported-content-encoding", InvalidRequest),
    ],
)
def test_what_the_platform_refuses_is_certain_in_its_words(server, status, type_, error):
    refused = outcome(server, reply(status, refusal_of(type_)))
    assert isinstance(refused, StartRefused)
    assert isinstance(refused.error, error)
    assert (refused.error.status, refused.error.type) == (status, type_)
    assert "The platform's words" in str(refused)


@pytest.mark.parametrize("size", [70_000, 10_000_000])
def test_a_refusal_that_quotes_the_input_is_certain_too(server, size):
    refused = outcome(server, reply(400, refusal_of("invalid-input", f"Input is not valid: {'y' * size}")))
    assert isinstance(refused, StartRefused)
    assert refused.error.type == "invalid-input"
    assert refused.error.message.startswith("Input is not valid: yyy")
    assert len(refused.error.message) <= 500


@pytest.mark.parametrize("body", [b"<html>" + b"x" * 70_000, refusal_of("invalid-input", "y" * 13_000_000)])
def test_an_error_beyond_all_bounds_proves_nothing(server, body):
    assert isinstance(outcome(server, reply(400, body)), StartUnclear)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(server, status):
    refused = outcome(server, reply(status, Location=f"{server.url}/elsewhere"))
    assert isinstance(refused, StartRefused)
    assert refusal_reason(refused.error).message == (
        f"[{status}] the platform responded {status} to the start: check ACTORLINE_API_URL. No run was started."
    )


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (reply(429, refusal_of("rate-limit-exceeded")), RateLimited),
        (reply(429, b"slow down"), RateLimited),
        (reply(402, refusal_of("actor-memory-limit-exceeded")), CapacityExceeded),
        (reply(402, refusal_of("concurrent-runs-limit-exceeded")), CapacityExceeded),
        (reply(403, refusal_of("concurrent-runs-limit-exceeded")), CapacityExceeded),
    ],
)
def test_no_room_and_no_rate_mean_not_now(server, response, error):
    deferred = outcome(server, response)
    assert isinstance(deferred, StartDeferred)
    assert isinstance(deferred.error, error)


def test_a_rate_limit_says_how_long_to_wait(server):
    deferred = outcome(server, reply(429, refusal_of("rate-limit-exceeded"), Retry_After="7"))
    assert isinstance(deferred, StartDeferred)
    assert isinstance(deferred.error, RateLimited)
    assert deferred.error.retry_after_s == 7


@pytest.mark.parametrize(
    "response",
    [
        raw(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        reply(303, Location="/v2/actor-runs/r1"),  # it was done, and is to be looked at elsewhere
        reply(302, Location="http://[no-address"),
        reply(302),  # to nowhere
        reply(304),
        reply(300, Location="/v2/actor-runs/r1"),
        raw(b"HTTP/1.1 103 Early Hints\r\n\r\n"),  # and then nothing
        raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
        reply(408, refusal_of("operation-timed-out")),
        reply(425, refusal_of("too-early")),
        reply(500, refusal_of("internal-server-error")),
        reply(502, b"<html>Bad gateway"),
        reply(503, refusal_of("query-timeout")),
        reply(504, b""),
        reply(403, b"<html>The firewall says no"),  # not the API's: something in between, which proves nothing
        reply(404, b"Not here"),
        reply(400, {"message": "not the API's form"}),
        reply(201, b"<html>Created"),
        reply(201, {"data": {"id": ""}}),
        reply(201, {"run": RUN}),
        reply(201, [RUN]),
        reply(200, b""),
        raw(b""),  # gone after it took the request
        raw(b"HTTP/1.1 201 Cre"),
        raw(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"),
        raw(b"what?\r\n\r\n"),
    ],
)
def test_what_leaves_a_run_possible_is_unclear_and_not_repeated(server, response):
    assert isinstance(outcome(server, response), StartUnclear)


def test_large_body_of_a_redirect_is_left_unread(server):
    head = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 100000\r\n\r\n"
    server.respond = lambda _: drip(head, bytes(100_000))  # all of it would take longer than any test may
    with pytest.raises(StartRefused):
        start(server.url)


@pytest.mark.parametrize("nowhere", ["http://[no-address", "http://host:99999/", "http://host:x/"])
def test_response_that_redirects_nowhere_is_closed(server, monkeypatch, nowhere):
    closed, close = [], requests.Response.close

    def noted(response: requests.Response) -> None:
        closed.append(response.status_code)
        close(response)

    monkeypatch.setattr(requests.Response, "close", noted)
    outcome(server, reply(302, Location=nowhere))
    assert closed == [302]


def test_no_answer_in_time_is_unclear(server, monkeypatch):
    monkeypatch.setattr(start_module, "START_TIMEOUT_SECS", 0.1)
    assert isinstance(outcome(server, silence), StartUnclear)


def test_reply_that_comes_byte_by_byte_is_unclear(server, monkeypatch):
    monkeypatch.setattr(body_module, "WHOLE_SECS", 0.5)
    slow = drip(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n", bytes(100_000))
    assert "didn't end within" in str(outcome(server, slow))


def test_reply_without_an_end_is_unclear(server):
    endless = reply(201, gzip.compress(bytes(3 * body_module.WHOLE_BYTES_MAX)), Content_Encoding="gzip")
    assert "more than" in str(outcome(server, endless))


def test_nobody_there_is_certain():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://name.invalid", f"http://{'x' * 70}.invalid"):
        with pytest.raises(StartDeferred, match="can't be reached"):
            start(url)


def test_a_server_that_speaks_no_tls_is_certain(server):
    with pytest.raises(StartDeferred, match="can't be reached"):
        start(server.url.replace("http:", "https:"))
    assert all(request.method != "POST" for request in server.requests)


@pytest.mark.parametrize(
    ("boot_moved", "wall_moved", "is_past"),
    [
        (0, 0, False),
        (9, 9, False),
        (11, 11, True),
        (11, 0, True),  # the machine slept, and its wall clock was set back
        (0, 11, True),  # the host moved the virtual machine
        (0, -11, True),
        (-11, 0, True),
    ],
)
def test_either_clock_alone_ends_the_span(monkeypatch, boot_moved, wall_moved, is_past):
    boot, wall = 5_000.0, 1_700_000_000.0
    clocks = {"boot": boot, "wall": wall}
    monkeypatch.setattr(time, "clock_gettime", lambda _: clocks["boot"])
    monkeypatch.setattr(time, "time", lambda: clocks["wall"])
    send_by = SendBy(10, boot=boot, wall=wall)
    clocks.update(boot=boot + boot_moved, wall=wall + wall_moved)
    assert send_by.is_past() is is_past


@pytest.mark.parametrize(("boot_ago", "wall_ago"), [(11, 0), (0, 11), (0, -11)])
def test_a_process_that_was_frozen_sends_no_byte(server, boot_ago, wall_ago):
    fresh = SendBy(10)
    late = SendBy(10, boot=fresh.boot - boot_ago, wall=fresh.wall - wall_ago)
    with pytest.raises(StartDeferred, match="nothing was sent"):
        start(server.url, send_by=late)
    assert server.is_done.wait(60)
    assert (server.connections, server.requests) == (1, [])


def test_the_clocks_are_looked_at_after_the_connection_stands(server, monkeypatch):
    send_by = SendBy(10)
    connect = socket.socket.connect

    def frozen_while_connecting(self: socket.socket, address: Any) -> None:
        connect(self, address)
        object.__setattr__(send_by, "boot", send_by.boot - 11)

    monkeypatch.setattr(socket.socket, "connect", frozen_while_connecting)
    with pytest.raises(StartDeferred, match="nothing was sent"):
        start(server.url, send_by=send_by)
    assert server.is_done.wait(60)
    assert server.requests == []

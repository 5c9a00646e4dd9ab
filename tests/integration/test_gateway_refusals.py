"""What the HTTP gateway turns down, and how it stays well meanwhile. No worker runs: nothing here gets that far."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest
from gateway_process import Gateway, running_gateway
from real_parts import make_line, wait_for

from actorline.gateway.connections import HEAD_SECS, MOST_CONNECTIONS
from actorline.gateway.intake.body import MAX_BODY_BYTES

JSON = {"Content-Type": "application/json"}
POST = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def gateway(valkey, emulator, tmp_path_factory):
    line = make_line(valkey, emulator, tmp_path_factory.mktemp("line"), "gw-refusals")
    with running_gateway(line) as gateway:
        yield gateway
    line.client.close()


@pytest.fixture
def connect(gateway: Gateway) -> Iterator[Callable[[], socket.socket]]:
    """Makes raw connections."""
    port = httpx.URL(gateway.url).port
    with ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))


def assert_problem(response: httpx.Response, status: int, code: str, *words: str) -> None:
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (problem["type"], problem["billed"]) == ("about:blank", False)
    assert problem["title"]
    for word in words:
        assert word in problem["detail"]
    assert "Traceback" not in response.text


def post(gateway: Gateway, body: bytes | Iterator[bytes], **headers: str) -> httpx.Response:
    return gateway.http.post("/v1/jobs", content=body, headers={**JSON, **headers})


def response_of(connection: socket.socket) -> bytes:
    """Everything until the other side closes, which it does at once or after its own time-out."""
    found = b""
    while block := connection.recv(65536):
        found += block
    return found


def is_cut(connection: socket.socket) -> bool:
    """Whether the other side has ended the connection by now."""
    connection.settimeout(0)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


# -- bodies and documents


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"]
)
def test_a_body_that_is_not_declared_as_json_is_refused(gateway, content_type):
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = gateway.http.post("/v1/jobs", content=b'{"actor": "x"}', headers=headers)
    assert_problem(response, 415, "request-invalid", "application/json", "Nothing was started")


def test_compressed_body_is_refused_by_name(gateway):
    response = gateway.http.post(
        "/v1/jobs",
        content=gzip.compress(b"{}"),
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    assert_problem(response, 415, "request-invalid", "must not be compressed", "'gzip'", "Nothing was started")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe{}", b'{"actor": "x",}', b"nope", b"\x00", b'"\\ud800', b"[" * 100_000, b'{"a":' * 100_000],
)
def test_a_body_that_is_no_json_is_refused(gateway, body):
    assert_problem(post(gateway, body), 422, "document-invalid", "Nothing was started")


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b"true"])
def test_json_that_is_no_object_is_refused(gateway, body):
    assert_problem(post(gateway, body), 422, "document-invalid", "must be a JSON object")


@pytest.mark.parametrize(
    "value", [b"NaN", b"-Infinity", b'"\\ud800"', b"[" * 900 + b"]" * 900, b"[" * 990 + b"]" * 990, b"1" * 5000]
)
def test_an_odd_input_is_accepted_or_refused_harmlessly(gateway, value):
    response = post(gateway, b'{"actor": "x", "input": %s}' % value)
    assert response.status_code in {202, 422}
    assert gateway.http.get("/healthz").status_code == 200


def test_a_number_keeps_all_its_digits(gateway):
    post(gateway, b'{"key": "gw-digits", "actor": "x", "input": 123456789012345678901234567890}')
    assert gateway.line.ledger.load_input("gw-digits") == b"123456789012345678901234567890"


def test_every_problem_of_a_document_is_named(gateway):
    bad = {"key": "a b", "actorr": "x", "options": {"memory": 3}, "labels": {"bad name": "x" * 300}}
    response = gateway.order(**bad)
    assert_problem(
        response,
        422,
        "document-invalid",
        "key: ",
        'did you mean "memory_mbytes"?',
        'did you mean "actor"?',
        "labels.",
    )


@pytest.mark.parametrize("key", ["", "no/slash", "-a", "a" * 201, "a b", "{a}", "..", '"', '""', "ü"])
def test_a_key_that_no_job_can_have_is_refused(gateway, key):
    response = post(gateway, b'{"actor": "x"}', **{"Idempotency-Key": key.encode()})
    assert_problem(response, 422, "document-invalid", "key")


def test_a_document_with_another_key_than_the_header_is_refused(gateway):
    response = post(gateway, b'{"actor": "x", "key": "one"}', **{"Idempotency-Key": "two"})
    assert_problem(response, 422, "document-invalid", "Idempotency-Key")
    assert gateway.line.state("one") is None


def test_another_document_under_a_taken_key_is_a_conflict(gateway):
    assert gateway.order(key="gw-conflict", actor="x").status_code == 202
    response = gateway.order(key="gw-conflict", actor="y")
    assert_problem(response, 409, "conflict", "Nothing was changed", "hash")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/", "outside the allowed roots"),
        ("file:///tmp/../etc/{key}/", "outside the allowed roots"),
        ("http://example.com/", "sink"),
        ("s3://id:canary-secret@bucket/x/", ""),
        ("{nonsense}", "not known"),
        ("file:///x\u0000y/", ""),
        ("gopher://[", ""),
    ],
)
def test_a_sink_elsewhere_is_refused(gateway, url, words):
    response = gateway.order(actor="x", sink={"url": url})
    assert response.json()["code"] in {"sink-refused", "document-invalid"}
    assert_problem(response, 422, response.json()["code"], words)
    assert "canary-secret" not in response.text


def test_a_body_that_says_it_is_too_large_is_refused_unread(gateway, connect):
    connection = connect()
    connection.sendall(f"{POST}Content-Length: {10**9}\r\n\r\n".encode())
    assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_becomes_too_large_is_refused_while_it_comes(gateway, connect):
    connection = connect()
    connection.sendall(f"{POST}Transfer-Encoding: chunked\r\n\r\n".encode())
    chunk = b"%x\r\n%s\r\n" % (100_000, b" " * 100_000)
    for _ in range(MAX_BODY_BYTES // 100_000 + 1):
        connection.sendall(chunk)
    assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")  # the end of the body was never sent


def test_a_client_that_keeps_sending_gets_its_response(gateway):
    response = post(gateway, (b" " * 1_000_000 for _ in range(12)))
    assert_problem(response, 413, "document-invalid", f"{MAX_BODY_BYTES:,}")


def test_the_largest_input_that_the_platform_takes_is_taken(gateway):
    response = post(gateway, b'{"key": "gw-large", "actor": "x", "input": "%s"}' % (b"x" * 9_437_100))
    assert response.status_code == 202
    assert_problem(post(gateway, b'{"actor": "x", "input": "%s"}' % (b"x" * 9_500_000)), 422, "document-invalid")


# -- paths, parameters, headers


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/nobody",
        "/v1/jobs/nobody/items",
        "/v1/jobs/nobody/events",
        "/v1/jobs/nobody/records/OUTPUT",
        "/v1/jobs/a%20b",
        "/v1/jobs/%00",
        "/v1/jobs/a%0d%0aX-Injected:%201",
        "/v1/jobs/" + "a" * 300,
        "/v1/jobs/%F0%9F%A6%86",
        "/v1/jobs/*",
        "/v1/jobs/job:x",
        "/v1/jobs/%ff",
    ],
)
def test_a_job_that_is_not_there_is_a_problem_document(gateway, path):
    response = gateway.http.get(path)
    assert_problem(response, 404, "unknown-key")
    assert "X-Injected" not in response.headers


@pytest.mark.parametrize("path", ["/v1", "/nix", "/v1/jobs/a%2Fb", "/v1/jobs/", "/..%2f..%2fetc/passwd", "/docs"])
def test_a_path_that_is_not_there_is_a_problem_document(gateway, path):
    assert_problem(gateway.http.get(path), 404, "request-invalid", "/openapi.json")


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/v1/jobs"), ("PUT", "/v1/jobs/x"), ("GET", "/v1/jobs/x/cancel")]
)
def test_a_method_that_is_not_there_is_a_problem_document(gateway, method, path):
    response = gateway.http.request(method, path)
    assert_problem(response, 405, "request-invalid")
    assert response.headers["Allow"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "state=SLEEPING",
        "label=x",
        "label=:x",
        "cursor=",
        "cursor=x",
        "cursor=nan_a",
        "cursor=inf_a",
        "cursor=-1_a",
        "cursor=" + "9" * 400,
    ],
)
def test_a_parameter_that_is_wrong_is_named(gateway, query):
    assert_problem(gateway.http.get(f"/v1/jobs?{query}"), 422, "request-invalid")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/jobs?lable=team:a", 'lable (did you mean "label"?)'),
        ("/v1/jobs?since=2026-11-01&state=QUEUED", "since. This path has state, label, limit, cursor"),
        ("/v1/jobs/x/cancel?wait=5", "wait. This path has none"),
        ("/v1/budgets?acount=a", "acount"),
        ("/v1/batches/x?what%1b=1", "what"),
    ],
)
def test_a_parameter_that_no_path_has_is_refused(gateway, path, words):
    method = "POST" if "cancel" in path else "GET"
    assert_problem(gateway.http.request(method, path), 422, "request-invalid", words, "Nothing was done")


@pytest.mark.parametrize("query", ["wait=-1", "wait=61", "wait=nan", "wait=inf", "wait=x"])
def test_a_wait_that_is_wrong_is_named(gateway, query):
    assert_problem(gateway.http.get(f"/v1/jobs/x?{query}"), 422, "request-invalid", "wait")


@pytest.mark.parametrize("query", ["offset=-1", "limit=0", "offset=1e3", "limit=" + "9" * 30])
def test_a_range_that_is_wrong_is_named(gateway, query):
    assert_problem(gateway.http.get(f"/v1/jobs/x/items?{query}"), 422, "request-invalid")


@pytest.mark.parametrize(
    "request_text",
    [
        "nonsense\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + "x" * 20_000,
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nBad Name: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n\r\n",
    ],
    ids=["nonsense", "head-too-large", "header-name", "header-value", "two-lengths", "negative-length", "no-host"],
)
def test_what_is_not_http_gets_a_problem_and_is_disconnected(connect, request_text):
    connection = connect()
    connection.sendall(request_text.encode())
    head, _, body = response_of(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["code"] == "request-invalid"


def test_every_answer_is_nobodys_to_cache_or_to_guess(gateway):
    for path in ("/healthz", "/v1/jobs", "/nix", "/openapi.json"):
        headers = gateway.http.get(path).headers
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
        assert "Access-Control-Allow-Origin" not in headers
        assert "Server" not in headers


# -- an open door is open to local programs only


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8470", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8470", "LocalHost"]
)
def test_local_names_are_let_in(gateway, host):
    assert gateway.http.get("/v1/jobs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8470", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "", "[::1"],
)
def test_a_foreign_name_is_kept_out(gateway, host):
    """What a browser sends after DNS rebinding."""
    assert_problem(gateway.http.get("/v1/jobs", headers={"Host": host}), 403, "forbidden", "localhost")


@pytest.mark.parametrize(
    "header", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_web_pages_are_kept_out(gateway, header):
    response = gateway.http.post("/v1/jobs", json={"key": "gw-page", "actor": "x"}, headers=header)
    assert_problem(response, 403, "forbidden", "web pages")
    assert gateway.line.state("gw-page") is None


# -- slow and many clients


def test_clients_that_never_finish_keep_nobody_out(gateway):
    # after HEAD_SECS all of them are cut: a busy machine may need more than one try
    assert any(is_room_made_by_the_oldest(gateway) for _ in range(3))


def is_room_made_by_the_oldest(gateway: Gateway) -> bool:
    port, began = httpx.URL(gateway.url).port, time.monotonic()
    with ExitStack() as stack:
        slow = []
        for _ in range(MOST_CONNECTIONS + 50):
            slow.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)))
            with suppress(ConnectionError):  # it has been cut already
                slow[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: local")
        for _ in range(5):
            with httpx.Client(base_url=gateway.url, timeout=60) as client:
                assert client.get("/v1/jobs").status_code == 200
        wait_for(lambda: sum(map(is_cut, slow)) >= 50, what="those who wait longest to make room")
        return not any(map(is_cut, slow[-50:])) and time.monotonic() - began < HEAD_SECS


@pytest.mark.thorough
def test_a_head_that_does_not_end_is_given_up(gateway, connect):
    connection = connect()
    began, stop = time.monotonic(), threading.Event()

    def drip() -> None:
        while not stop.wait(0.5):
            try:
                connection.sendall(b"X: y\r\n")
            except OSError:
                return

    connection.sendall(b"GET /healthz HTTP/1.1\r\n")
    thread = threading.Thread(target=drip)
    thread.start()
    try:
        try:
            received = response_of(connection)
        except ConnectionResetError:
            received = b""
    finally:
        stop.set()
        thread.join()
    assert received == b""
    assert HEAD_SECS - 1 < time.monotonic() - began < HEAD_SECS + 40


def test_more_followers_than_places_are_told_to_come_later(gateway):
    gateway.order(key="gw-followed", actor="x")
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(base_url=gateway.url, limits=httpx.Limits(max_connections=200)))
        streams = [stack.enter_context(client.stream("GET", "/v1/jobs/gw-followed/events")) for _ in range(10)]
        assert {stream.status_code for stream in streams} == {200}
        refused = client.get("/v1/jobs/gw-followed/events")
        assert_problem(refused, 429, "quota", "10 streams of events")
        assert refused.headers["Retry-After"]
    # who goes gives the place back

    def is_let_in() -> bool:
        with gateway.http.stream("GET", "/v1/jobs/gw-followed/events") as stream:
            return stream.status_code == 200

    wait_for(is_let_in, what="a place for events")


def test_a_closing_gateway_finishes_responses_and_ends_waits(own_line):
    with running_gateway(own_line("gw-closing")) as gateway:
        gateway.order(key="k", actor="x")
        port = httpx.URL(gateway.url).port
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as waiting,
            gateway.http.stream("GET", "/v1/jobs/k/events") as stream,
        ):
            waiting.sendall(b"GET /v1/jobs/k?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            lines = stream.iter_lines()
            assert next(lines).startswith("id: ")
            assert gateway.http.get("/healthz").status_code == 200  # so the other request has come, too
            began = time.monotonic()
            gateway.process.terminate()
            assert "event: queued" in list(lines)  # the stream ends whole, not broken off
            assert b'"state":"QUEUED"' in response_of(waiting)
            assert gateway.process.wait(60) == 0
            assert time.monotonic() - began < 50  # not the minute that was asked for

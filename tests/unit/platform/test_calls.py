import gzip
import json
import tracemalloc

import pytest
import requests
from pydantic import SecretStr
from tiny_server import drip, raw, reply, tiny_server

from actorline.platform import body as body_module
from actorline.platform.body import WHOLE_BYTES_MAX
from actorline.platform.client import Platform, RateFacts
from actorline.platform.describe import bare_url
from actorline.platform.errors import (
    AuthFailed,
    CapacityExceeded,
    InvalidRequest,
    NotFound,
    PlatformUnavailable,
    RateLimited,
)

API = "https://api.example.test/v2"
TOKEN = "apify_api_wJ8kZ2"


def envelope(type_: str, message: str = "Words of the platform") -> dict[str, object]:
    return {"error": {"type": type_, "message": message}}


@pytest.mark.parametrize("url", ["https://a.test", "https://a.test/", "https://a.test/v2", "https://a.test/v2/"])
def test_the_api_url_may_come_with_or_without_v2(url):
    assert Platform(url, SecretStr(TOKEN), user_agent="x").api_root == "https://a.test/v2"


@pytest.mark.parametrize("url", ["a.test", "ftp://a.test", "https://u:p@a.test", "https://a.test?token=x", ""])
def test_an_api_url_that_cannot_be_meant_is_refused(url):
    with pytest.raises(ValueError, match=r"must look like https://api\.apify\.com"):
        Platform(url, SecretStr(TOKEN), user_agent="x")


@pytest.mark.parametrize("token", ["", "se cret", "secret\n", "secret\r\nX: y", "secrét"])
def test_a_token_no_header_can_hold_is_refused_unseen(token):
    with pytest.raises(ValueError, match="API token") as caught:
        Platform("https://a.test", SecretStr(token), user_agent="x")
    assert "secr" not in str(caught.value)


def test_the_token_is_a_header_only_and_never_in_repr(platform, api):
    api.get(f"{API}/users/me", json={"data": {}})

    platform.get_data("users/me", {"a": "b"})

    sent = api.calls[0].request
    assert sent.headers["Authorization"] == f"Bearer {TOKEN}"
    assert sent.headers["User-Agent"] == "actorline/test"
    assert sent.url == f"{API}/users/me?a=b"
    assert TOKEN not in repr(platform)
    assert TOKEN not in repr(vars(platform))


def test_a_query_needs_no_rules_of_forms_to_be_read(platform, api):
    api.get(f"{API}/x", json={"data": 1})
    platform.get_data("x", {"fields": "first name,a+b,c&d", "delimiter": "\t", "after": "2026-11-30T00:00:00.000Z"})
    query = api.calls[0].request.url.partition("?")[2]
    assert query == "fields=first%20name,a%2Bb,c%26d&delimiter=%09&after=2026-11-30T00%3A00%3A00.000Z"


def test_a_text_that_javascript_has_cut_in_a_character_is_read(platform, api):
    body = rb'{"data": {"statusMessage": "Done \ud83d", "name": "\ud83d\ude00"}}'
    api.get(f"{API}/actor-runs/r1", body=body, content_type="application/json")
    assert platform.get_data("actor-runs/r1") == {"statusMessage": "Done ?", "name": "\U0001f600"}


def test_only_encodings_that_can_be_undone_are_asked_for(api, monkeypatch):
    monkeypatch.setattr(requests.utils, "DEFAULT_ACCEPT_ENCODING", "gzip, deflate, br, zstd")
    api.get(f"{API}/x", json={"data": 1})

    Platform("https://api.example.test", SecretStr(TOKEN), user_agent="x").get_data("x")

    assert api.calls[0].request.headers["Accept-Encoding"] == "gzip"


def test_get_and_post_unwrap_data(platform, api):
    api.get(f"{API}/x", json={"data": [1, 2]})
    api.post(f"{API}/y", json={"data": None})

    assert platform.get_data("x") == [1, 2]
    assert platform.post_data("/y") is None
    assert not api.calls[1].request.body


@pytest.mark.parametrize(
    ("status", "type_", "expected"),
    [
        (400, "invalid-token", AuthFailed),
        (400, "made-up-tomorrow", InvalidRequest),
        (403, "concurrent-runs-limit-exceeded", CapacityExceeded),
        (404, "record-not-found", NotFound),
    ],
)
def test_a_refusal_is_raised_at_once_in_the_platforms_own_words(platform, api, status, type_, expected):
    api.get(f"{API}/x", json=envelope(type_), status=status)

    with pytest.raises(expected) as caught:
        platform.get_data("x", {"a": "secret"})

    assert (caught.value.status, caught.value.type, caught.value.attempts) == (status, type_, 1)
    assert caught.value.message == "Words of the platform"
    assert caught.value.request == f"GET {API}/x"
    assert "secret" not in str(caught.value)
    assert len(api.calls) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_again(platform, api, waits, status):
    api.get(f"{API}/x", json=envelope("any"), status=status)
    api.get(f"{API}/x", json={"data": 1})

    assert platform.get_data("x") == 1
    assert len(waits) == 1


@pytest.mark.parametrize(
    "response",
    [
        {"status": 503, "body": ""},
        {"status": 200, "body": "<html>Log in to the hotel</html>", "content_type": "text/html"},
        {"status": 200, "json": {"error": "no data"}},
        {"status": 200, "json": [1]},
        {"status": 206, "json": {"data": 1}},
        {"status": 404, "body": "<html>nginx</html>"},
        {"status": 403, "json": ["a firewall's"]},
        {"status": 401, "json": {"error": "a firewall's"}},
        {"status": 302, "headers": {"Location": "http://[no-address"}},
        {"status": 302, "headers": {"Location": "\xff"}},
        {"body": requests.ConnectionError("cut")},
        {"body": requests.ReadTimeout("slow")},
    ],
)
def test_what_is_not_the_apis_is_unavailable_after_five_tries(platform, api, waits, response):
    call = api.get(f"{API}/x", **response)

    with pytest.raises(PlatformUnavailable) as caught:
        platform.get_data("x")

    assert type(caught.value) is PlatformUnavailable
    assert caught.value.attempts == 5 == call.call_count
    assert len(waits) == 4
    assert 0.5 <= waits[0] <= 1.0
    assert 4.0 <= waits[3] <= 8.0


@pytest.mark.parametrize("target", [f"http://{'x' * 70}.invalid/", "http://host:99999/", "http://host:x/"])
def test_redirect_to_no_host_is_unavailable_its_body_unread(target):
    head = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 100000\r\n\r\n"
    with tiny_server(lambda _: drip(head.encode(), bytes(100_000))) as server:  # longer than any test may take
        platform = Platform(server.url, SecretStr(TOKEN), sleep=lambda _: None)
        with pytest.raises(PlatformUnavailable):
            platform.get_data("x", is_repeated=False)
        platform.close()


def test_a_refusal_that_comes_in_many_chunks_is_read_as_a_whole():
    body = json.dumps(envelope("record-not-found")).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:30], body[30:], b""))
    head = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with tiny_server(lambda _: raw(head + chunks)) as server:
        platform = Platform(server.url, SecretStr(TOKEN), sleep=lambda _: None)
        with pytest.raises(NotFound) as caught:
            platform.stream("x")
        platform.close()
    assert (caught.value.type, caught.value.message) == ("record-not-found", "Words of the platform")
    assert len(server.requests) == 1


@pytest.mark.parametrize("call", [Platform.get_data, Platform.post_data])
def test_a_body_that_inflates_beyond_all_bounds_is_not_held(call):
    body = gzip.compress(b'{"data":"' + bytes(3 * WHOLE_BYTES_MAX))
    with tiny_server(lambda _: reply(200, body, Content_Encoding="gzip")) as server:
        platform = Platform(server.url, SecretStr(TOKEN), sleep=lambda _: None)
        tracemalloc.start()
        with pytest.raises(PlatformUnavailable, match=r"more than 33,554,432 bytes"):
            call(platform, "x")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        platform.close()
    assert peak < 2 * WHOLE_BYTES_MAX


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_body_that_comes_byte_by_byte_holds_no_thread(monkeypatch, status, encoding):
    monkeypatch.setattr(body_module, "WHOLE_SECS", 0.5)
    content = gzip.compress(bytes(100_000_000)) if encoding == "gzip" else bytes(100_000)
    head = f"HTTP/1.1 {status} Said\r\nContent-Length: 100000\r\nContent-Encoding: {encoding}\r\n\r\n"
    with tiny_server(lambda _: drip(head.encode(), content)) as server:
        platform = Platform(server.url, SecretStr(TOKEN), read_timeout_s=600, sleep=lambda _: None)
        with pytest.raises(PlatformUnavailable):
            platform.get_data("x", is_repeated=False)
        platform.close()


def test_a_body_that_breaks_off_is_asked_for_again():
    whole, cut = reply(200, {"data": 1}), raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"data": 1}')
    replies = [cut, whole]
    with tiny_server(lambda _: replies.pop(0)) as server:
        platform = Platform(server.url, SecretStr(TOKEN), sleep=lambda _: None)
        assert platform.get_data("x") == 1
        platform.close()
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "headers", "is_refused"),
    [(429, {}, True), (429, {"Retry-After": "7"}, True), (503, {"Retry-After": "7"}, True), (503, {}, False),
     (500, {"Retry-After": "7"}, False)],
)  # fmt: skip
def test_everybody_waits_where_the_platform_asks_for_it(api, status, headers, is_refused):
    class Told:
        def wait_for_turn(self, path: str, patience_s: float) -> None:
            pass

        def learn(self, path: str, facts: RateFacts) -> None:
            told.append((path, facts))

    told: list[tuple[str, RateFacts]] = []
    api.get(f"{API}/datasets/d", json=envelope("any"), status=status, headers=headers)
    platform = Platform(API, SecretStr(TOKEN), governor=Told())
    with pytest.raises(PlatformUnavailable):
        platform.get_data("datasets/d", is_repeated=False)
    platform.close()
    assert told == [("datasets/d", RateFacts(None, is_refused, 7.0 if headers else None))]


def test_an_abort_is_repeated_and_never_redirected_to_a_get(platform, api):
    api.post(f"{API}/x", status=302, headers={"Location": f"{API}/y"})
    api.post(f"{API}/x", json={"data": 1})

    assert platform.post_data("x") == 1
    assert [call.request.method for call in api.calls] == ["POST", "POST"]


def test_retry_after_is_waited_for(platform, api, waits):
    api.get(f"{API}/x", json=envelope("rate-limit-exceeded"), status=429, headers={"Retry-After": "3"})
    api.get(f"{API}/x", json={"data": 1})

    assert platform.get_data("x") == 1
    assert waits == [3.0]


def test_a_long_retry_after_is_left_to_the_caller(platform, api, waits):
    api.get(f"{API}/x", json=envelope("rate-limit-exceeded"), status=429, headers={"Retry-After": "3600"})

    with pytest.raises(RateLimited) as caught:
        platform.get_data("x")

    assert (caught.value.retry_after_s, caught.value.attempts, waits) == (60.0, 1, [])


def test_a_token_quoted_by_the_platform_is_masked(platform, api):
    message = f"Unknown token {TOKEN}; other apify_api_0ther_1, Bearer abc.def"
    api.get(f"{API}/x", json=envelope("user-or-token-not-found", message), status=401)

    with pytest.raises(AuthFailed) as caught:
        platform.get_data("x")

    assert caught.value.message == "Unknown token ***; other apify_api_***, Bearer ***"


def test_a_url_is_shown_without_user_query_and_fragment():
    assert bare_url("https://u:p@a.test:8/v2/x?signature=s#f") == "https://a.test:8/v2/x"


def test_head_without_a_body_is_judged_by_its_status(platform, api):
    api.head(f"{API}/x", status=404)

    with pytest.raises(NotFound):
        platform.head("x")

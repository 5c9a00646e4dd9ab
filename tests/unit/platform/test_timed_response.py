"""What may come before a response, and how long its head may take: for what is asked, and for a start."""

import io
import time
from collections.abc import Callable

import pytest
import requests
from pydantic import SecretStr
from tiny_server import drip, raw, tiny_server

from actorline.outbound import timed_response
from actorline.outbound.exchange import exchange
from actorline.platform.body import Body
from actorline.platform.client import Platform
from actorline.platform.errors import PlatformUnavailable
from actorline.platform.start import SendBy, StartDeferred, StartRequest, StartUnclear, start_run

HINTS = (
    b"HTTP/1.1 102 Processing\r\n\r\n"
    b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\nLink: </x>\r\n\r\n"
    b"HTTP/1.1 100 Continue\r\n\r\n"
)
CREATED = b'HTTP/1.1 201 Created\r\nContent-Length: 22\r\n\r\n{"data": {"id": "r1"}}'
LONG = [
    pytest.param(
        b"HTTP/1.1 201 Created" + b" " * 300 + CREATED.removeprefix(b"HTTP/1.1 201 Created"), id="status line"
    ),
    pytest.param(CREATED.replace(b"\r\n\r\n", b"\r\nX-Slow: " + b"a" * 300 + b"\r\n\r\n"), id="header"),
    pytest.param(12 * b"HTTP/1.1 100 Continue\r\n\r\n" + CREATED, id="interim responses"),
]
"""As many bytes as `drip` sends in six seconds."""


def open_platform(url: str) -> Platform:
    return Platform(url, SecretStr("t"))


def start(platform: Platform) -> str:
    request = StartRequest("apify/web-scraper", None, b"{}", {}, "actorline/0.1.0 (al-1f00aa/9f86d081884c7d65.1)")
    return start_run(platform, request, send_by=SendBy(10), announce=lambda: None)


def ask(platform: Platform) -> str:
    data: dict[str, str] = platform.get_data("actor-runs/r1", is_repeated=False)
    return data["id"]


@pytest.mark.parametrize("call", [ask, start])
def test_interim_responses_are_not_the_response(call: Callable[[Platform], str]) -> None:
    with tiny_server(lambda _: raw(HINTS + CREATED)) as server:
        platform = open_platform(server.url)
        assert call(platform) == "r1"
        platform.close()
    assert len(server.requests) == 1


def test_interim_responses_of_a_foreign_server_are_passed() -> None:
    with tiny_server(lambda _: raw(HINTS + CREATED)) as server, exchange(["127.0.0.1"], within_s=30) as session:
        assert session.get(server.url, timeout=30).status_code == requests.codes.created


@pytest.mark.parametrize("response", LONG)
def test_head_that_comes_byte_by_byte_holds_no_thread(monkeypatch, response: bytes) -> None:
    monkeypatch.setattr(timed_response, "HEAD_SECS", -29.5)  # beyond the 30 s in which a server may be silent
    with tiny_server(lambda _: drip(b"", response)) as server:
        platform = open_platform(server.url)
        with pytest.raises(PlatformUnavailable, match="the head of the response doesn't end"):
            ask(platform)
        platform.close()


@pytest.mark.parametrize("response", LONG)
def test_start_whose_head_comes_byte_by_byte_is_unclear(monkeypatch, response: bytes) -> None:
    monkeypatch.setattr(timed_response, "HEAD_SECS", -59.5)  # beyond the 60 s of a start
    with tiny_server(lambda _: drip(b"", response)) as server:
        platform = open_platform(server.url)
        with pytest.raises(StartUnclear, match="the head of the response doesn't end"):
            start(platform)
        platform.close()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        pytest.param("HTTP_PROXY", "http://api.example.test", id="of the response"),
        pytest.param("HTTPS_PROXY", "https://api.example.test", id="to CONNECT"),
    ],
)
def test_head_that_comes_byte_by_byte_from_a_proxy_holds_no_thread(monkeypatch, variable: str, url: str) -> None:
    monkeypatch.setattr(timed_response, "HEAD_SECS", -29.5)
    monkeypatch.setenv("NO_PROXY", "elsewhere.example")
    with tiny_server(lambda _: drip(b"", b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 300)) as server:
        monkeypatch.setenv(variable, server.url)
        platform = open_platform(url)
        with pytest.raises(PlatformUnavailable, match="the head of the response doesn't end"):
            ask(platform)
        platform.close()


def test_small_body_of_a_redirect_that_comes_byte_by_byte_holds_no_thread(monkeypatch) -> None:
    monkeypatch.setattr(timed_response, "SLOW_SECS", -29.8)
    head = b"HTTP/1.1 302 Found\r\nLocation: /v2/moved\r\nContent-Length: 300\r\n\r\n"
    with tiny_server(lambda _: drip(head, 300 * b"x")) as server:
        platform = open_platform(server.url)
        with pytest.raises(PlatformUnavailable, match="comes too slowly"):
            ask(platform)
        platform.close()
    assert len(server.requests) == 1


@pytest.mark.parametrize(("least_bytes", "is_read"), [(10_000, False), (1, True)])
def test_body_that_comes_too_slowly_is_given_up(monkeypatch, least_bytes: int, is_read: bool) -> None:
    monkeypatch.setattr(timed_response, "SLOW_SECS", -29.8)  # beyond the 30 s in which a server may be silent
    monkeypatch.setattr(timed_response, "SLOW_BYTES", least_bytes)
    with tiny_server(lambda _: drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", 99 * b"x")) as server:
        platform = open_platform(server.url)
        with Body(platform.stream("x")) as body:
            if is_read:
                assert b"".join(body.blocks(1_000)) == 99 * b"x"
            else:
                with pytest.raises(PlatformUnavailable, match="broke off"):
                    list(body.blocks(1_000))
        platform.close()


def test_faults_name_the_server_as_people_do() -> None:
    platform = open_platform("http://127.0.0.1:1")
    with pytest.raises(PlatformUnavailable, match=r" 127\.0\.0\.1:1: "):
        ask(platform)
    with pytest.raises(StartDeferred, match=r"\(127\.0\.0\.1:1: "):
        start(platform)
    platform.close()


class Late(io.RawIOBase):
    """A socket of a process that was frozen while its bytes came."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        time.sleep(0.02)
        buffer[:2] = b"{}"
        return 2


def test_what_has_come_is_kept_however_late_it_is_read(monkeypatch) -> None:
    monkeypatch.setattr(timed_response, "SLOW_SECS", 0.01)
    reads = timed_response._TimedReads(Late(), silence_s=0)
    reads.begin_body()
    assert reads.read(2) == b"{}"
    with pytest.raises(TimeoutError, match="comes too slowly: 2 bytes"):
        reads.read(2)

import asyncio
import json
from typing import Any

import pytest
from starlette.requests import Request

from actorline.errors import Code, Refused
from actorline.gateway.intake import body
from actorline.gateway.intake.body import LARGE_BYTES, MAX_BODY_BYTES, Bodies, parse_json, with_key
from actorline.gateway.problems import Fault


def request_of(*blocks: bytes, endless: bool = False, content_type: str = "application/json") -> Request:
    """A request whose body comes in blocks, and then ends or stays away."""
    waiting = list(blocks)

    async def receive() -> dict[str, Any]:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting) or endless}
        await asyncio.sleep(3600)
        raise AssertionError

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode())]}
    return Request(scope, receive)


def read(bodies: Bodies, request: Request) -> bytearray:
    async def run() -> bytearray:
        async with bodies.read(request, "a") as found:
            return found

    return asyncio.run(run())


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"]
)
def test_blocks_become_one_body(content_type):
    assert read(Bodies(MAX_BODY_BYTES), request_of(b'{"a"', b": 1}", content_type=content_type)) == b'{"a": 1}'


def test_a_body_that_comes_too_slowly_is_given_up(monkeypatch):
    monkeypatch.setattr(body, "BODY_SECS", 0.05)
    with pytest.raises(Fault) as caught:
        read(Bodies(MAX_BODY_BYTES), request_of(b"{", endless=True))
    assert (caught.value.status, caught.value.reason.code) == (408, Code.REQUEST_INVALID)


def test_a_body_is_too_large_as_soon_as_its_bytes_are(monkeypatch):
    monkeypatch.setattr(body, "MAX_BODY_BYTES", 10)
    with pytest.raises(Fault) as caught:
        read(Bodies(MAX_BODY_BYTES), request_of(b"x" * 6, b"x" * 5, endless=True))
    assert caught.value.status == 413


def test_all_bodies_together_are_bounded_while_in_use(monkeypatch):
    monkeypatch.setattr(body, "MAX_HELD_BYTES", 10)
    bodies = Bodies(MAX_BODY_BYTES)

    async def drain(bodies: Bodies, request: Request) -> None:
        async with bodies.read(request, "a"):
            pass

    async def both() -> None:
        async with bodies.read(request_of(b"x" * 6), "b"):
            with pytest.raises(Fault) as caught:
                await drain(bodies, request_of(b"x" * 5))
            assert (caught.value.status, caught.value.reason.code) == (503, Code.CAPACITY)
        await drain(bodies, request_of(b"x" * 10))

    asyncio.run(both())


def test_large_and_costly_orders_take_turns_and_others_pass():
    bodies, large = Bodies(MAX_BODY_BYTES), bytearray(LARGE_BYTES)

    async def enter(body: bytearray, **options: bool) -> None:
        async with bodies.turn(body, **options):
            pass

    async def run() -> None:
        async with bodies.turn(large):
            second = asyncio.create_task(enter(large))
            costly = asyncio.create_task(enter(large[:1], is_costly=True))
            await asyncio.wait_for(enter(large[1:]), 60)
            assert not second.done()
            assert not costly.done()
        await asyncio.wait_for(asyncio.gather(second, costly), 60)

    asyncio.run(run())


def test_one_key_may_have_so_many_bytes_under_way():
    bodies = Bodies(each_bytes=10)

    async def both() -> None:
        async with bodies.read(request_of(b"x" * 6), "a"):
            with pytest.raises(Fault) as caught:
                async with bodies.read(request_of(b"x" * 5), "a"):
                    pass
            assert (caught.value.status, caught.value.reason.code) == (429, Code.QUOTA)
            async with bodies.read(request_of(b"x" * 5), "b"):
                pass
        async with bodies.read(request_of(b"x" * 10), "a"):
            pass

    asyncio.run(both())


@pytest.mark.parametrize(
    ("raw", "header", "key"),
    [
        ({}, "k", "k"),
        ({}, '"k"', "k"),
        ({"key": "k"}, "k", "k"),
        ({"key": "k"}, '"k"', "k"),
        ({"key": None}, "k", "k"),
        ({"key": "k"}, None, "k"),
        ({}, '"', '"'),  # for the document's own check
    ],
)
def test_the_key_comes_from_header_or_document(raw, header, key):
    assert with_key(raw, header)["key"] == key


@pytest.mark.parametrize("raw", [{"key": "other"}, {"key": 5}, {"key": ["k"]}, {"key": ""}])
def test_another_key_in_the_document_is_refused(raw):
    with pytest.raises(Refused, match="Idempotency-Key") as caught:
        with_key(raw, "k")
    assert caught.value.reason.code is Code.DOCUMENT_INVALID


@pytest.mark.parametrize("raw", [[], None, 5, "x"])
def test_what_is_no_object_is_left_to_the_documents_check(raw):
    assert with_key(raw, "k") is raw


@pytest.mark.parametrize("value", [10**400, 1.5, "ü", [], {"a": None}])
def test_json_is_read_as_it_was_written(value):
    assert parse_json(json.dumps(value).encode()) == value


def test_the_place_of_a_mistake_is_said():
    with pytest.raises(Refused, match="at 2:8"):
        parse_json(b'{\n  "a": nope}')

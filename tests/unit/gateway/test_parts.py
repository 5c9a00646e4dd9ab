"""The small parts of the HTTP gateway, each by itself."""

import asyncio
import gzip
import random
import threading
import zlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from sse_starlette.sse import AppStatus

from actorline.errors import Code
from actorline.gateway.intake.batching import Batcher
from actorline.gateway.openapi import ORDER, RESULT
from actorline.gateway.problems import STATUSES, Fault
from actorline.gateway.routes.events import Stream
from actorline.gateway.shares import Shares
from actorline.gateway.streams import gzipped
from actorline.gateway.timelines import order
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job_result import JobResult


def test_what_gathers_while_a_group_is_at_work_is_the_next_group():
    groups: list[list[int]] = []
    at_work, go_on = threading.Event(), threading.Event()

    def work(group: list[int]) -> None:
        groups.append(group)
        at_work.set()
        assert go_on.wait(60)

    worker = Batcher("test", work, most=3)
    worker.put(0)
    assert at_work.wait(60)
    for number in range(1, 6):
        worker.put(number)
    go_on.set()
    worker.close()
    assert groups == [[0], [1, 2, 3], [4, 5]]


def test_a_heavy_item_goes_with_what_gathered_before_it():
    groups: list[list[int]] = []
    go_on = threading.Event()

    def work(group: list[int]) -> None:
        assert go_on.wait(60)
        groups.append(group)

    worker = Batcher("test", work, most=10, weight=lambda thing: thing)
    for weight in (10, 1, 50, 1, 1):
        worker.put(weight)
    go_on.set()
    worker.close()
    assert groups == [[10], [1, 50], [1, 1]]


def test_a_key_has_its_share_and_all_have_theirs():
    shares = Shares("things", each=2, together=3)

    def refusal(holder: str, amount: int = 1) -> tuple[int, Code]:
        with pytest.raises(Fault) as caught:
            shares.take(holder, amount)
        return caught.value.status, caught.value.reason.code

    shares.take("a", 2)
    assert refusal("a") == (429, Code.QUOTA)
    shares.take("b")
    assert refusal("b") == (503, Code.CAPACITY)
    shares.give_back("a", 2)
    with shares.held("b"):
        assert refusal("b") == (429, Code.QUOTA)
    shares.take("c", 2)


@pytest.mark.parametrize("blocks", [[], [b""], [b"a"], [random.Random(1).randbytes(300_000), b"", b"x" * 300_000]])
def test_blocks_are_packed_into_one_gzip_member(blocks):
    packed = b"".join(gzipped(iter(blocks)))
    assert gzip.decompress(packed) == b"".join(blocks)
    one = zlib.decompressobj(31)
    one.decompress(packed)
    assert one.eof
    assert one.unused_data == b""


def test_a_stream_ends_whole_when_the_process_stops(monkeypatch):
    """The library would break it off as soon as it notices."""
    monkeypatch.setattr(AppStatus, "should_exit", True)
    sent: list[Any] = []

    async def two_events() -> AsyncIterator[dict[str, Any]]:
        for number in range(2):
            yield {"data": str(number)}
            await asyncio.sleep(0.05)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "headers": []}
    asyncio.run(Stream(two_events(), lambda: None)(scope, partial(asyncio.sleep, 3600), send))
    assert [message.get("body") for message in sent] == [None, b"data: 0\r\n\r\n", b"data: 1\r\n\r\n", b""]
    assert sent[-1]["more_body"] is False


def test_ids_of_a_timeline_are_ordered_as_numbers():
    assert sorted(["10-0", "9-10", "9-9", "100-0"], key=order) == ["9-9", "9-10", "10-0", "100-0"]


def test_each_code_has_a_status_that_says_whose_fault_it_is():
    ours = {code for code, status in STATUSES.items() if status >= 500}
    assert ours == {
        Code.INTERNAL, Code.SINK_FAILED, Code.CAPACITY, Code.REDIS_UNAVAILABLE, Code.PLATFORM_UNAVAILABLE,
        Code.LEDGER_NOT_DURABLE,
    }  # fmt: skip


def test_the_examples_of_the_document_are_whole():
    assert JobResult.model_validate(RESULT).model_dump(mode="json") == RESULT
    assert parse_document(ORDER).key == RESULT["key"]

"""The small parts of the HTTP door, each by itself."""

import gzip
import random
import threading
import zlib

import pytest

from actorline.errors import Code
from actorline.gateway.batching import Batcher
from actorline.gateway.openapi import ORDER, RESULT
from actorline.gateway.problems import STATUSES, Fault
from actorline.gateway.shares import Shares
from actorline.gateway.streams import gzipped
from actorline.gateway.timelines import order
from actorline.jobs.document import parse_document
from actorline.jobs.job import JobResult


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

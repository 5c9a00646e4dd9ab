"""Records that come without a length, damaged, or not at all."""

import gzip
import io
import re
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from tiny_server import raw, reply, tiny_server

from actorline.delivery.execution import Execution
from actorline.delivery.manifest import StoredRecord
from actorline.identifiers import ExecutionToken
from actorline.jobs.step import LostJob
from actorline.platform.client import Platform
from actorline.stages.collect import records
from actorline.stages.collect.records import PAUSE_SECS, TRIES, RecordFailure, RecordKeeper


def do_nothing(*_: object) -> None:
    pass


def keeper_of(
    platform: Platform,
    sink: Any,
    sleep: Callable[[float], object] = do_nothing,
    keep_alive: Callable[[], None] = do_nothing,
) -> RecordKeeper:
    execution = Execution(ExecutionToken("x"), keep_alive, confirm=do_nothing)
    return RecordKeeper(platform, "s", sink, "attempt-1/", "superseded-0/", execution, sleep=sleep)


@pytest.fixture
def store(monkeypatch):
    """Return a function that stores a record of which these texts come, one after the other."""

    def stored(*texts: bytes, is_framed: bool = False):
        coming = iter(texts)

        def open_record(*_: object):
            content = next(coming)
            response = SimpleNamespace(
                is_framed=is_framed, is_gzip=False, content_type="text/plain", blocks=lambda _: iter([content])
            )
            return nullcontext(response)

        monkeypatch.setattr(records, "open_record", open_record)
        sink = SimpleNamespace(staging=lambda *_: nullcontext(io.BytesIO()), publish=lambda *_: True)
        platform = Platform("https://api.example.test", SecretStr("apify_api_hush"))
        keeper = keeper_of(platform, sink)
        good, bad = keeper.store(["OUTPUT"])
        return *good, *bad, list(coming)

    return stored


def test_record_without_a_length_is_stored_if_it_comes_twice(store):
    record, left = store(b"whole", b"whole")
    assert isinstance(record, StoredRecord)
    assert (record.bytes, left) == (5, [])
    record, left = store(b"who", b"whole", b"whole", b"whole")
    assert (record.bytes, left) == (5, [])


def test_record_that_comes_differently_each_time_is_none(store):
    failure, _ = store(*(b"x" * size for size in range(2 * TRIES)))
    assert isinstance(failure, RecordFailure)
    assert "not the same twice" in failure.message


def test_record_with_a_length_is_asked_for_once(store):
    record, left = store(b"whole", b"more", is_framed=True)
    assert (record.bytes, left) == (5, [b"more"])


CONTENT = b"whole " * 200
GZIP = gzip.compress(CONTENT)
WITHOUT_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
GONE = reply(410, {"error": {"type": "record-deleted", "message": "It was deleted"}})


@pytest.fixture
def stored_from():
    """Return a function that stores a record of a server that responds so, each time with the next."""

    def stored(*responses, sleep=lambda _: None, keep_alive=lambda: None, are_listed=False):
        file, coming = io.BytesIO(), iter(responses)
        sink = SimpleNamespace(staging=lambda *_: nullcontext(file), publish=lambda *_: True)
        with tiny_server(lambda _: next(coming)) as server:
            platform = Platform(server.url, SecretStr("apify_api_hush"), sleep=lambda _: None)
            good, bad = keeper_of(platform, sink, sleep, keep_alive).store(["OUTPUT"], are_listed=are_listed)
            platform.close()
        return *good, *bad, list(coming), file.getvalue()

    return stored


def test_gzip_without_a_length_is_stored_decoded_if_it_is_whole(stored_from):
    whole, cut = raw(WITHOUT_LENGTH + GZIP), raw(WITHOUT_LENGTH + GZIP[:-9])
    record, left, content = stored_from(whole, whole)
    assert (record.bytes, left, content) == (len(CONTENT), [], CONTENT)
    failure, _, _ = stored_from(*[cut] * 2 * TRIES)
    assert isinstance(failure, RecordFailure)


def test_record_that_is_gone_is_a_failure(stored_from):
    failure, left, _ = stored_from(GONE, GONE)
    assert isinstance(failure, RecordFailure)
    assert re.search(r"OUTPUT is gone: .*It was deleted", failure.message)
    assert left == [GONE]


ABSENT = reply(404, {"error": {"type": "record-not-found", "message": "There is none"}})


def keys_of(*keys: str) -> Any:
    """The store's list."""
    return reply(200, {"data": {"items": [{"key": key} for key in keys], "isTruncated": False}})


@pytest.mark.parametrize("second", [keys_of(), keys_of("OUTPUT-1"), ABSENT, reply(403, {"error": {"type": "x"}})])
def test_named_record_that_no_list_has_is_not_missed(stored_from, second):
    slept: list[float] = []
    assert stored_from(ABSENT, second, sleep=slept.append) == ([], b"")
    assert slept == [], "no thread waits where a run wrote no such record"


def test_record_that_is_listed_is_not_missing_by_one_404(stored_from):
    record, left, content = stored_from(ABSENT, keys_of("OUTPUT", "OUTPUT-1"), WHOLE)
    assert (record.bytes, left, content) == (5, [], b"whole")


def test_404_counts_for_nothing_while_the_list_is_silent(stored_from):
    silent = reply(503, {"error": {"type": "x"}}, **{"Retry-After": "30"})
    record, _, _ = stored_from(ABSENT, silent, WHOLE)
    assert record.bytes == 5


@pytest.mark.parametrize("are_listed", [False, True])
def test_listed_record_that_stays_missing_is_a_failure(stored_from, are_listed):
    slept: list[float] = []
    tries = [ABSENT] * TRIES if are_listed else [ABSENT, keys_of("OUTPUT")] * TRIES
    failure, left, _ = stored_from(*tries, sleep=slept.append, are_listed=are_listed)
    assert re.search(r"OUTPUT can't be read: .*There is none", failure.message)
    assert (left, sum(slept)) == ([], (TRIES - 1) * PAUSE_SECS)


BUSY = reply(429, {"error": {"type": "rate-limit-exceeded", "message": "Slower"}}, **{"Retry-After": "45"})
WHOLE = reply(200, b"whole")


def test_record_comes_again_no_sooner_than_the_platform_asks(stored_from):
    slept: list[float] = []
    record, left, _ = stored_from(BUSY, WHOLE, sleep=slept.append)
    assert (record.bytes, left, sum(slept)) == (5, [], 45)
    slept.clear()
    cut = raw(WITHOUT_LENGTH + GZIP[:-9])
    assert stored_from(cut, WHOLE, sleep=slept.append)[0].bytes == 5
    assert sum(slept) == PAUSE_SECS


def test_stopped_job_waits_for_no_record(stored_from):
    def stop() -> None:
        raise LostJob

    slept: list[float] = []
    with pytest.raises(LostJob):
        stored_from(BUSY, WHOLE, sleep=slept.append, keep_alive=stop)
    assert slept == []

"""Records of a server that doesn't say how long they are."""

import io
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from actorline.delivery.manifest import StoredRecord
from actorline.identifiers import ExecutionToken
from actorline.platform.client import Platform
from actorline.stages.collect import records
from actorline.stages.collect.records import TRIES, RecordFailure, RecordKeeper


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
        keeper = RecordKeeper(platform, "s", sink, "attempt-1/", "superseded-0/", ExecutionToken("x"))
        good, bad = keeper.store(["OUTPUT"], lambda: None)
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

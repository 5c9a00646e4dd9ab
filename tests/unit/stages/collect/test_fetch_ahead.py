from unittest.mock import Mock

import pytest

from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import LocalSink
from actorline.jobs.states import State
from actorline.platform.datasets import Dataset
from actorline.stages.collect.fetch_ahead import (
    LOOK_MAX_SECS,
    LOOK_MIN_SECS,
    WATCHED_LOOK_SECS,
    AheadPlanner,
    may_send,
    next_look,
    watched_page,
)


@pytest.mark.parametrize(
    ("elapsed", "items", "seconds"),
    [
        (20, 400, 30),  # 20 a second: 600 are missing
        (20, 990, LOOK_MIN_SECS),
        (600, 400, LOOK_MAX_SECS),
        (1, 0, LOOK_MIN_SECS),
        (40, 0, 40),  # none yet: rarer and rarer, for many a run has no rows until its end
        (86_400, 0, LOOK_MAX_SECS),
    ],
)
def test_full_pages_are_looked_for_when_one_is_likely(make_job, elapsed, items, seconds):
    dataset = Dataset.model_validate({"id": "d", "itemCount": items})
    job = make_job(started_at=1_000.0)
    assert next_look(job, dataset, {}, 1_000, now=1_000 + elapsed) == seconds


@pytest.mark.parametrize(
    ("ahead", "empty_at", "sends"),
    [
        ({}, 0, True),  # the first look
        ({"ahead_at": 2_001.0}, 0, False),  # not yet
        ({"ahead_at": 1_900.0}, 0, True),
        ({"ahead_at": 1_900.0, "ahead_sent_at": 1_800.0}, 0, False),  # it waits in its queue, however long that takes
        ({"ahead_at": 1_900.0, "ahead_sent_at": 1_800.0}, 1_800, False),
        ({"ahead_at": 1_900.0, "ahead_sent_at": 1_800.0}, 1_801, True),  # it was lost
    ],
)
def test_a_look_for_full_pages_is_not_sent_again_past_its_queue(make_job, ahead, empty_at, sends):
    job = make_job(state=State.RUNNING, started_at=1_000.0, **ahead)
    assert may_send(job, now=2_000, empty_at=empty_at) is sends


GUARDED = {"actor": "x", "guard": {"required": ["a"]}}


@pytest.mark.parametrize(
    ("order", "read", "counted", "items"),
    [
        (GUARDED, 0, 10, 200),  # of `after_items` rows: before them nothing is judged
        ({"actor": "x", "guard": {"required": ["a"], "after_items": 5}}, 0, 10, 100),
        ({"actor": "x", "guard": {"required": ["a"], "after_items": 9_000}}, 0, 10, 1_000),
        ({"actor": "x", "stop_when": {"items": 5}}, 0, 10, 100),
        (GUARDED, 50_000, 50_010, 5_000),  # a tenth of what was read
        (GUARDED, 0, 160_000, 10_000),  # side by side
    ],
)
def test_pages_whose_rows_are_judged_are_small_at_first(make_job, order, read, counted, items):
    known = {0: Receipt(page_no=0, offset=0, limit=read, scanned=read, items=read)} if read else {}
    assert watched_page(make_job(order=order), known, counted) == items


def test_rows_that_are_judged_are_looked_at_with_each_poll(make_job):
    dataset = Dataset.model_validate({"id": "d", "itemCount": 0})
    assert next_look(make_job(order=GUARDED, started_at=1_000.0), dataset, {}, 200, now=9_000) == WATCHED_LOOK_SECS


def test_silent_sink_keeps_one_look_for_full_pages(make_job, monkeypatch, hang):
    monkeypatch.setattr(LocalSink, "claim", hang)
    ledger, platform = Mock(), Mock()
    ledger.load.return_value = make_job(state=State.RUNNING, run_id="r", dataset_id="d", sink="file:///rows/k/")
    planner = AheadPlanner(ledger, platform, Mock(), "al-test")
    assert [planner.plan("k", 1) for _ in range(3)] == [None, None, None]
    assert (hang.call_count, platform.mock_calls) == (1, [])

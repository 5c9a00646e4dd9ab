"""`reuse_secs`: an order that is like a delivered job is answered by that delivery, and nothing is paid."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from real_parts import wait_for

from actorline.ledger.queries.savings import read_savings

OF_THE_DELIVERY = ("run_id", "dataset_id", "sink", "manifest", "items", "pages", "bytes", "records", "delivered_at")


@pytest.fixture
def deliver(line):
    """Runs a job to its end and returns its result."""
    return lambda key, **document: line.submit({"key": key, "poll_interval_secs": 1, **document}).get(timeout=120)


def runs_paid(line, actor: str) -> int:
    return len(line.emulator.starts(actor))


def test_delivery_answers_a_later_order_like_it_without_a_run(line, deliver):
    actor = line.emulator.actor("reused", items=7, duration_secs=0, usage_usd=0.25)
    like: dict[str, Any] = {"actor": actor, "input": {"a": [1, 2]}}
    before = read_savings(line.ledger, accounts=None)
    first = deliver("reused-1", **like, labels={"by": "one"})
    second = deliver("reused-2", **like, reuse_secs=3600, priority=1, deadline_secs=600)
    assert second["state"] == "DELIVERED"
    assert [second[name] for name in OF_THE_DELIVERY] == [first[name] for name in OF_THE_DELIVERY]
    assert (second["key"], second["cost_usd"], second["items"]) == ("reused-2", 0, 7)
    assert runs_paid(line, actor) == 1
    (end,) = [entry for entry in line.ledger.timeline.entries("reused-2") if entry.event == "ended"]
    assert end.data["reused"] == "reused-1"
    saved = read_savings(line.ledger, accounts=None)
    assert saved.reused == before.reused + 1
    assert saved.reused_usd - before.reused_usd == pytest.approx(end.data["saved_usd"])
    assert end.data["saved_usd"] == pytest.approx(0.25)
    third = deliver("reused-3", **like, reuse_secs=3600)  # of the first one, which the second only names
    assert (third["run_id"], runs_paid(line, actor)) == (first["run_id"], 1)


@pytest.mark.parametrize(
    "other",
    [
        {"input": {"a": 2}},
        {"collect": {"limit": 3}},
        {"options": {"memory_mbytes": 256}},
        {"sink": {"compression": "none"}},
    ],
)
def test_order_that_wants_something_else_is_paid_for(line, deliver, other):
    name = f"other-{'-'.join(other)}"
    like = {"actor": line.emulator.actor(name, items=7, duration_secs=0), "input": {"a": 1}}
    deliver(f"{name}-1", **like)
    deliver(f"{name}-2", **{**like, **other}, reuse_secs=3600)
    assert runs_paid(line, like["actor"]) == 2


def test_order_without_reuse_secs_is_paid_for(line, deliver):
    actor = line.emulator.actor("not-reused", items=1, duration_secs=0)
    deliver("not-reused-1", actor=actor)
    deliver("not-reused-2", actor=actor)
    assert runs_paid(line, actor) == 2


def test_delivery_that_is_too_old_or_gone_is_not_reused(line, deliver):
    actor = line.emulator.actor("old", items=1, duration_secs=0)
    first = deliver("old-1", actor=actor)
    wait_for(lambda: line.ledger.now() > line.ledger.load("old-1").delivered_at + 1, what="an older delivery")
    deliver("old-2", actor=actor, reuse_secs=1)
    assert runs_paid(line, actor) == 2
    newest = deliver("old-3", actor=actor, reuse_secs=3600)
    assert runs_paid(line, actor) == 2
    assert newest["sink"] != first["sink"]
    shutil.rmtree(Path(urlsplit(newest["sink"]).path))
    deliver("old-4", actor=actor, reuse_secs=3600)
    assert runs_paid(line, actor) == 3


def test_partial_or_failed_job_is_not_reused(line, deliver):
    actor = line.emulator.actor("broken-before", items=3, duration_secs=0, final_status="FAILED")
    assert deliver("broken-before-1", actor=actor)["state"] == "PARTIAL"
    assert deliver("broken-before-2", actor=actor, reuse_secs=3600)["state"] == "PARTIAL"
    assert runs_paid(line, actor) == 2

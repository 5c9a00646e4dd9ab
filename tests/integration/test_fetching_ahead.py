"""While a run goes on its full pages are fetched, so that its end leaves only the tail."""

from datetime import datetime

import pytest
from real_parts import delivery_of, wait_for

GROWING = {"items": 630, "item_rate": 70, "duration_secs": 600}
QUICK = {"poll_interval_secs": 1}


def items_requests(line, dataset_id):
    return line.emulator.requests("GET", f"/v2/datasets/{dataset_id}/items")


def test_full_pages_come_while_the_run_is_running_and_once(line):
    actor = line.emulator.actor("growing", **GROWING)
    collect = {"page_items": 50}
    order = line.submit({"key": "growing", "actor": actor, "collect": collect, **QUICK})
    job = wait_for(
        lambda: (job := line.ledger.load("growing")) and job.collection.items >= 100 and job, what="early pages"
    )
    line.emulator.finish(job.run.id)
    result = order.get(timeout=120)
    assert (result["state"], result["items"]) == ("DELIVERED", 630)
    assert delivery_of(result).sha256 == line.emulator.expected(result["dataset_id"])["sha256"]
    ended = datetime.fromisoformat(result["run_finished_at"]).timestamp()
    early = [request for request in items_requests(line, result["dataset_id"]) if request["at"] < ended]
    assert early
    assert all(request["query"]["limit"] == "50" for request in early)
    offsets = [int(request["query"]["offset"]) for request in items_requests(line, result["dataset_id"])]
    fetched = [offset for offset in offsets if offset < 630]
    assert sorted(fetched) == sorted(set(fetched))
    assert "fetching-ahead" in line.events("growing")


@pytest.mark.thorough
@pytest.mark.parametrize("collect", [{"desc": True}, {"while_running": False}], ids=str)
def test_nothing_is_fetched_early_where_windows_move(line, collect):
    key = f"not-ahead-{min(collect)}"
    actor = line.emulator.actor(key, items=300, duration_secs=3)
    order = line.submit({"key": key, "actor": actor, "collect": {"page_items": 20, **collect}, **QUICK})
    result = order.get(timeout=120)
    assert (result["state"], result["items"]) == ("DELIVERED", 300)
    ended = datetime.fromisoformat(result["run_finished_at"]).timestamp()
    assert all(request["at"] >= ended for request in items_requests(line, result["dataset_id"]))


@pytest.mark.thorough
def test_cancel_delivers_what_came_early_and_what_was_left(line):
    actor = line.emulator.actor("cancelled-ahead", items=60_000, duration_secs=600)
    order = line.submit({"key": "cancelled-ahead", "actor": actor, "collect": {"page_items": 50}, **QUICK})
    wait_for(lambda: (job := line.ledger.load("cancelled-ahead")) and job.collection.items >= 50, what="an early page")
    line.cancel("cancelled-ahead")
    with pytest.raises(Exception) as raised:  # noqa: PT011 - a service can't import our classes
        order.get(timeout=120)
    assert type(raised.value).__name__ == "JobCancelled"
    job = line.ledger.load("cancelled-ahead")
    assert delivery_of({"sink": job.sink_url}).sha256 == line.emulator.expected(job.run.dataset_id)["sha256"]

"""Upkeep: what each sweep does for all jobs together, whatever one of them is like."""

import time

import pytest
from real_parts import running_workers, wait_for

from actorline.jobs.document.parse import parse_document
from actorline.jobs.states import State
from actorline.ledger.change import Change
from actorline.ledger.registration import NewJob

DAY_SECS = 86_400


def add_ended(line, keys, *, queued_at: float, ended_at: float) -> None:
    document = parse_document({"actor": "apify/x"})
    line.ledger.register([NewJob(key, document, sink="file:///rows/k/", fresh=False) for key in keys], due_in_s=600)
    for key in keys:
        fields = {"ended_at": ended_at, "queued_at": queued_at}
        line.ledger.change(key, Change(to=State.FAILED, due_in_s=None, fields=fields), epoch=None)
    line.ledger.redis.zadd(line.ledger.name("state", State.FAILED), dict.fromkeys(keys, queued_at), xx=True)


@pytest.mark.thorough
def test_jobs_behind_many_that_ended_lately_are_forgotten(own_line):
    line = own_line("retention", retention_days="1")
    now = time.time()
    late, over = [f"late-{n:03}" for n in range(250)], [f"over-{n}" for n in range(5)]
    add_ended(line, late, queued_at=now - 30 * DAY_SECS, ended_at=now)
    add_ended(line, over, queued_at=now - 29 * DAY_SECS, ended_at=now - 2 * DAY_SECS)
    with running_workers(line, "control"):
        wait_for(lambda: not any(line.ledger.load_many(over)), what="the jobs that ended long ago to be forgotten")
    assert all(line.ledger.load_many(late))


@pytest.mark.thorough
def test_a_job_of_another_version_stops_no_other(own_line):
    line = own_line("newer-version")
    actor = line.emulator.actor("beside-newer", items=1, duration_secs=0)
    document = parse_document({"actor": actor})
    line.ledger.register([NewJob("newer", document, sink="file:///rows/k/", fresh=False)], due_in_s=0)
    line.ledger.redis.hset(line.ledger.name("job", "newer"), "state", "DREAMING")
    line.ledger.redis.zadd(line.ledger.name("line", "default"), {"newer": 0, "newer-2": 0, "newer-3": 0})
    with running_workers(line, "control", "fetch"):
        result = line.submit({"key": "beside", "actor": actor, "poll_interval_secs": 1}).get(timeout=120)
    assert result["state"] == "DELIVERED"
    assert line.ledger.redis.zscore(line.ledger.name("due"), "newer") is not None  # for a worker that can read it


@pytest.mark.thorough
def test_what_an_ended_job_needs_no_more_is_dropped(line):
    actor = line.emulator.actor("dropped", items=1, duration_secs=0)
    sent = line.submit({"key": "dropped", "actor": actor, "input": {"big": "x" * 1000}, "poll_interval_secs": 1})
    assert sent.get(timeout=120)["state"] == "DELIVERED"
    ledger = line.ledger
    wait_for(lambda: ledger.load_input("dropped") == b"{}", what="the input to be dropped")
    assert ledger.callers.task_ids("dropped") == {sent.id}


@pytest.mark.parametrize("task", ["actorline.status", "actorline.cancel"])
def test_an_answer_of_a_door_is_kept_for_an_hour(line, task):
    sent = line.send(task, "unknown")
    assert sent.get(timeout=120) is None
    backend = line.client.backend
    assert 0 < wait_for(lambda: backend.client.ttl(backend.get_key_for_task(sent.id)) < 3700 and 1) <= 3600
    assert backend.client.ttl(backend.get_key_for_task(sent.id)) > 3000

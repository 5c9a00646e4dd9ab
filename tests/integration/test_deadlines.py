"""A deadline is kept whatever the job is doing, and by the platform when no worker lives."""

import pytest
from real_parts import wait_for


@pytest.mark.thorough
def test_deadline_is_kept_however_seldom_the_run_is_polled(line):
    # a busy machine may start the first one later than its deadline
    job = next(job for secs in (5, 20, 60) if (job := expired(line, secs)).run.id)
    aborting = next(entry.at for entry in line.ledger.timeline.entries(job.key) if entry.event == "aborting")
    assert aborting - job.deadline_at < 300  # the next poll would be minutes later
    assert line.emulator.run(job.run.id)["status"] in {"ABORTED", "TIMED-OUT"}


def expired(line, deadline_secs):
    key = f"rare-polls-{deadline_secs}"
    actor = line.emulator.actor(key, items=1, duration_secs=600)
    line.submit({"key": key, "actor": actor, "poll_interval_secs": 600, "deadline_secs": deadline_secs})
    wait_for(lambda: line.state(key) == "EXPIRED", what="the end by deadline")
    return line.ledger.load(key)


def test_deadline_is_kept_while_rows_are_collected(line, faults):
    actor = line.emulator.actor("slow-rows", items=100, duration_secs=0)
    (source,) = [line.submit({"key": "slow-source", "actor": actor, "poll_interval_secs": 1}).get(timeout=120)]
    dataset_id = source["dataset_id"]
    faults({"method": "GET", "action": "delay", "secs": 40, "path_regex": f"{dataset_id}/items", "times": 100})
    line.submit({"key": "slow-rows", "dataset_id": dataset_id, "deadline_secs": 3}, ignore_result=True)
    wait_for(lambda: line.state("slow-rows") == "EXPIRED", what="the end by deadline")
    assert line.ledger.load("slow-rows").collection.items == 0  # before any row has come


def test_platform_gets_the_deadline_as_an_earlier_time_out(line):
    actor = line.emulator.actor("timed", items=1, duration_secs=0)
    asked = {
        "sooner": ({"timeout_secs": 3600}, "1015"),
        "later": ({"timeout_secs": 30}, "30"),
        "without": ({"timeout_secs": 0}, "1015"),
    }
    for name, (options, _) in asked.items():
        document = {"key": f"timed-{name}", "actor": actor, "options": options, "deadline_secs": 1000}
        assert line.submit({**document, "poll_interval_secs": 1}).get(timeout=120)["state"] == "DELIVERED"
    given = [start["query"]["timeout"] for start in line.emulator.starts(actor)]
    late = [int(want) - int(is_) for is_, (_, want) in zip(given, asked.values(), strict=True)]
    assert all(-1 <= each <= 100 for each in late), late  # a worker's clock may be some ms behind Redis's

"""A platform that doesn't respond delays neither the entrances nor what needs no platform."""

import time

import pytest
from real_parts import running_workers, wait_for

JOBS = 14


@pytest.mark.thorough
def test_doors_answer_while_all_polls_and_aborts_hang(own_line, faults):
    line = own_line("silent", control_concurrency="8")
    actor = line.emulator.actor("silent", items=1, duration_secs=600)
    keys = [f"silent-{n}" for n in range(JOBS)]
    with running_workers(line, "control"):
        for key in keys:
            document = {"key": key, "actor": actor, "poll_interval_secs": 1, "on_failure": {"deliver_partial": False}}
            line.submit(document, ignore_result=True)
        wait_for(lambda: all(line.state(key) == "RUNNING" for key in keys), what="runs that go on")
        for n in range(3):
            line.ledger.runs.add_stray(f"stray{n}", keys[0])
        faults({"action": "delay", "secs": 8, "times": 10_000, "path_regex": "/v2/actor-runs/"})
        began, longest = time.monotonic(), 0.0
        while time.monotonic() < began + 8:
            asked = time.monotonic()
            line.send("actorline.status", keys[0]).get(timeout=30)
            longest = max(longest, time.monotonic() - asked)
        assert longest < 7
        line.cancel(keys[0]).get(timeout=7)
        line.emulator.end_faults()
        for key in keys:
            line.cancel(key)
        wait_for(lambda: all(line.state(key) == "CANCELLED" for key in keys), within=60, what="the end of all")

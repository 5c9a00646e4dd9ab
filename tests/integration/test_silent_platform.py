"""A platform that doesn't respond delays neither the entrances nor what needs no platform."""

import pytest
from real_parts import running_workers, wait_for

JOBS = 14
CONTROL_THREADS = 8
LESS_THAN_PATIENCE_SECS = 20  # a silent platform is waited for 30 s


@pytest.mark.thorough
def test_doors_answer_while_all_polls_and_aborts_hang(own_line, faults):
    line = own_line("silent", control_concurrency=str(CONTROL_THREADS))
    actor = line.emulator.actor("silent", items=1, duration_secs=600)
    keys = [f"silent-{n}" for n in range(JOBS)]
    with running_workers(line, "control"):
        for key in keys:
            document = {"key": key, "actor": actor, "poll_interval_secs": 1, "on_failure": {"deliver_partial": False}}
            line.submit(document, ignore_result=True)
        wait_for(lambda: all(line.state(key) == "RUNNING" for key in keys), what="runs that go on")
        for n in range(3):
            line.ledger.runs.add_stray(f"stray{n}", keys[0])
        faults({"action": "delay", "secs": 600, "times": 10_000, "path_regex": "/v2/actor-runs/"})
        wait_for(lambda: waiting_calls(line, actor) >= CONTROL_THREADS // 2, what="polls that hang")
        for _ in range(10):
            line.send("actorline.status", keys[0]).get(timeout=LESS_THAN_PATIENCE_SECS)
        line.cancel(keys[0]).get(timeout=LESS_THAN_PATIENCE_SECS)
        assert waiting_calls(line, actor) < CONTROL_THREADS
        line.emulator.end_faults()
        for key in keys:
            line.cancel(key)
        wait_for(lambda: all(line.state(key) == "CANCELLED" for key in keys), what="the end of all")


def waiting_calls(line, actor):
    """Calls about an Actor's runs that have no response yet."""
    runs = {run["id"] for run in line.emulator.runs_of(actor)}
    asked = [each for each in line.emulator.requests() if each["finished_at"] is None]
    return sum(each["path"].split("/")[3] in runs for each in asked if each["path"].startswith("/v2/actor-runs/"))

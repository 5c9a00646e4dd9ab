"""One job starts one paid run: through lost replies, refusals for now, doubled messages and dead workers."""

from typing import Any

import pytest
from real_parts import delivery_of, reason_of, running_workers, start_worker, wait_for, waiting_poll

POST = {"method": "POST", "nth": 1}
TROUBLES: dict[str, dict[str, Any]] = {
    "lost-reply": {"action": "reset_after"},
    "cut-reply": {"action": "cut_body", "after_bytes": 40},
    "lost-request": {"action": "reset_before"},
    "html-502": {"action": "status", "status": 502, "html": "<html>Bad gateway</html>"},
    "timed-out-408": {"action": "status", "status": 408, "type": "operation-timed-out"},
    "no-memory-402": {"action": "status", "status": 402, "type": "actor-memory-limit-exceeded"},
    "no-room-402": {"action": "status", "status": 402, "type": "concurrent-runs-limit-exceeded"},
    "rate-429": {"action": "status", "status": 429, "type": "rate-limit-exceeded"},
    "refused-400": {"action": "status", "status": 400, "type": "invalid-input", "message": "Input is not valid"},
    "refused-402": {"action": "status", "status": 402, "type": "not-enough-usage-to-run-paid-actor"},
    "refused-403": {"action": "status", "status": 403, "type": "insufficient-permissions"},
    "made-and-500": {"action": "status_after", "status": 500},
}


@pytest.fixture(scope="module")
def orders(line) -> Any:
    """One order for each trouble with the start, placed at once: each waits some seconds. Name -> pending result."""
    placed = {}
    for name, fault in TROUBLES.items():
        actor = line.emulator.actor(name, items=300, duration_secs=0)
        line.emulator.faults({**POST, "path_regex": f"/actors/demo~{name}/runs$", **fault})
        placed[name] = line.submit({"key": f"start-{name}", "actor": actor, "poll_interval_secs": 1})
    yield placed
    line.emulator.end_faults()


def assert_one_run_with_every_row(line, result, actor):
    (run,) = line.emulator.runs_of(actor)
    assert (result["state"], result["items"], result["run_id"]) == ("DELIVERED", 300, run["id"])
    assert delivery_of(result).sha256 == line.emulator.expected(result["dataset_id"])["sha256"]


@pytest.mark.parametrize("name", ["lost-reply", "cut-reply", "made-and-500"])
def test_run_whose_start_was_answered_badly_is_found_and_adopted(line, orders, name):
    result = orders[name].get(timeout=120)
    assert_one_run_with_every_row(line, result, f"demo/{name}")
    assert result["adopted"] is True
    assert "start-unclear" in line.events(f"start-{name}")


@pytest.mark.parametrize("name", ["lost-request", "html-502", "timed-out-408"])
def test_start_that_never_arrived_is_repeated_after_settling(line, orders, name):
    result = orders[name].get(timeout=120)
    assert_one_run_with_every_row(line, result, f"demo/{name}")
    assert result["adopted"] is False
    _, second = line.emulator.starts(f"demo/{name}")
    # a busy platform may note a request long after it was sent
    announced = next(e.at for e in line.ledger.timeline.entries(f"start-{name}") if e.event == "starting")
    searches = [request["at"] for request in line.emulator.requests("GET") if request["path"] == "/v2/actor-runs"]
    assert any(announced + 2 < at < second["at"] for at in searches)
    assert "start-not-found" in line.events(f"start-{name}")


@pytest.mark.parametrize("name", ["no-memory-402", "no-room-402", "rate-429"])
def test_start_without_room_waits_and_starts_later(line, orders, name):
    result = orders[name].get(timeout=120)
    assert_one_run_with_every_row(line, result, f"demo/{name}")
    timeline = line.ledger.timeline.entries(f"start-{name}")  # it may have waited for the look back as well
    codes = {entry.data["code"] for entry in timeline if entry.event == "waiting"}
    assert {"platform-unavailable" if name == "rate-429" else "capacity"} <= codes
    assert codes <= {"platform-unavailable", "capacity"}  # others without room may come first, or a start be held up
    first, second = line.emulator.starts(f"demo/{name}")
    if name == "rate-429":  # room may come at any time, a rate doesn't
        assert second["at"] - first["at"] > 4.5


@pytest.mark.parametrize(
    ("name", "code"), [("refused-400", "input-invalid"), ("refused-402", "forbidden"), ("refused-403", "forbidden")]
)
def test_refused_start_raises_job_refused_in_the_platforms_words(line, orders, name, code):
    with pytest.raises(Exception) as raised:  # noqa: PT011
        orders[name].get(timeout=120)
    assert type(raised.value).__name__ == "JobRefused"
    reason = reason_of(raised.value)
    assert (reason["code"], reason["platform_type"], reason["billed"]) == (code, TROUBLES[name]["type"], False)
    assert TROUBLES[name].get("message", "") in reason["message"]
    assert len(line.emulator.starts(f"demo/{name}")) == 1
    assert line.emulator.runs_of(f"demo/{name}") == []


def test_cancel_during_an_unclear_start_aborts_the_run(line, faults):
    actor = line.emulator.actor("unclear-and-cancelled", items=300, duration_secs=600)
    faults({**POST, "action": "reset_after", "path_regex": "unclear-and-cancelled/runs$"})
    order = line.submit({"key": "unclear-and-cancelled", "actor": actor, "poll_interval_secs": 1})
    wait_for(lambda: "start-unclear" in line.events("unclear-and-cancelled"), what="the unclear start")
    line.cancel("unclear-and-cancelled")
    with pytest.raises(Exception) as raised:  # noqa: PT011
        order.get(timeout=120)
    assert type(raised.value).__name__ == "JobCancelled"
    (run,) = line.emulator.runs_of(actor)
    assert run["status"] == "ABORTED"


def test_cancel_while_waiting_for_room_starts_nothing(line, faults):
    actor = line.emulator.actor("no-room-and-cancelled", items=300, duration_secs=60)
    faults({"method": "POST", "action": "status", "status": 429, "path_regex": "no-room-and-cancelled/runs$"})
    order = line.submit({"key": "no-room-and-cancelled", "actor": actor, "poll_interval_secs": 1})
    wait_for(lambda: line.state("no-room-and-cancelled") == "WAITING", what="the wait for room")
    line.cancel("no-room-and-cancelled")
    with pytest.raises(Exception) as raised:  # noqa: PT011
        order.get(timeout=120)
    assert reason_of(raised.value) == {
        "code": "cancelled",
        "message": "The job was cancelled. No run was started.",
        "platform_type": None,
        "billed": False,
    }
    assert line.emulator.runs_of(actor) == []


@pytest.mark.thorough
def test_start_message_that_comes_three_times_starts_one_run(own_line, faults):
    line = own_line("doubled")
    actor = line.emulator.actor("doubled-start", items=300, duration_secs=0)
    faults({"method": "POST", "action": "delay", "secs": 1, "path_regex": "doubled-start/runs$"})
    with running_workers(line, "control", "control", "fetch"):
        order = line.submit({"key": "doubled-start", "actor": actor, "poll_interval_secs": 1})
        job = wait_for(
            lambda: (job := line.ledger.load("doubled-start")) and (job.intent or job.run.id) and job, what="the start"
        )
        for _ in range(2):
            line.send("actorline.start_run", job.key, job.epoch, queue="control")
        assert_one_run_with_every_row(line, order.get(timeout=120), actor)
    assert len(line.emulator.starts(actor)) == 1


@pytest.mark.thorough
def test_worker_killed_while_polling_is_replaced_and_delivers(own_line):
    line = own_line("killed-polling")
    actor = line.emulator.actor("killed-polling", items=300, duration_secs=600)
    with running_workers(line, "control", "fetch") as workers:
        order = line.submit({"key": "killed-polling", "actor": actor, "poll_interval_secs": 6})
        wait_for(lambda: waiting_poll(line, "killed-polling"), what="the second poll, held by the worker")
        workers[0].kill()
        line.emulator.finish_runs_of(actor)
        workers.append(start_worker("control", line))
        assert_one_run_with_every_row(line, order.get(timeout=120), actor)
    assert len(line.emulator.starts(actor)) == 1


@pytest.mark.thorough
def test_failing_sink_hides_no_paid_run_of_an_unclear_start(own_line, faults):
    line = own_line("sink-gone")
    actor = line.emulator.actor("sink-gone", items=10, duration_secs=600)
    faults({**POST, "action": "reset_after", "path_regex": "sink-gone/runs$"})
    folder = line.home / "rows" / "sink-gone"
    with running_workers(line, "control", "fetch"):
        order = line.submit({"key": "sink-gone", "actor": actor, "poll_interval_secs": 1})
        wait_for(lambda: "start-unclear" in line.events("sink-gone"), what="the unclear start")
        (folder / "_actorline.json").write_text('{"installation": "al-other", "key": "theirs"}')
        line.emulator.finish_runs_of(actor)
        with pytest.raises(Exception) as raised:  # noqa: PT011
            order.get(timeout=120)
    reason = reason_of(raised.value)
    assert (reason["code"], reason["billed"]) == ("sink-failed", True)
    (run,) = line.emulator.runs_of(actor)
    assert line.ledger.load("sink-gone").run.id == run["id"]

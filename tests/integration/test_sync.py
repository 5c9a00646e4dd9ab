"""`mode: "sync"`: the response to the start holds the rows. Whatever becomes of it, the run is paid once."""

import json

import pytest
from real_parts import delivery_of, running_workers, start_worker, wait_for

QUICK = {"mode": "sync", "poll_interval_secs": 60}  # what comes quicker than a minute wasn't found by polling


def items_requests(line, dataset_id):
    return line.emulator.requests("GET", f"/v2/datasets/{dataset_id}/items")


def starts(line, actor):
    path = f"/{actor.replace('/', '~')}/run-sync"
    return [request for request in line.emulator.requests("POST") if path in request["path"]]


def assert_every_row_of_one_run(line, result, actor, items):
    assert (result["state"], result["items"]) == ("DELIVERED", items)
    assert result["started_at"] <= result["run_finished_at"]
    (run,) = line.emulator.runs_of(actor)
    assert result["run_id"] == run["id"]
    assert delivery_of(result).sha256 == line.emulator.expected(result["dataset_id"])["sha256"]
    assert len(starts(line, actor)) == 1


@pytest.mark.parametrize("secs", [0.5, 5])
def test_rows_come_with_the_answer_to_the_start(line, secs):
    key = f"sync-{secs}"
    actor = line.emulator.actor(key.replace(".", "-"), items=700, duration_secs=secs)
    document = {"key": key, "actor": actor, "options": {"memory_mbytes": 512}, **QUICK}
    result = line.submit(document).get(timeout=120)
    assert_every_row_of_one_run(line, result, actor, 700)
    assert result["adopted"] is False  # it is our own start, whatever its run was known by
    (start,) = starts(line, actor)
    assert (start["query"]["memory"], start["query"]["format"]) == ("512", "jsonl")
    # no row is asked for twice: only what comes behind them is looked at
    assert {request["query"]["offset"] for request in items_requests(line, result["dataset_id"])} == {"700"}


def test_run_of_an_actor_task_whose_record_is_wanted_alone(line):
    record = {"OUTPUT": {"body": {"mean": 12.5}}}
    actor = line.emulator.actor("sync-record", items=5, duration_secs=0.5, records=record)
    line.emulator.actor_task("sync-record-task", actor)
    document = {"key": "sync-record", "actor_task": "demo/sync-record-task", "collect": {"dataset": False}, **QUICK}
    result = line.submit(document).get(timeout=120)
    assert (result["state"], result["items"], result["records"]) == ("DELIVERED", 0, 1)
    assert json.loads((delivery_of(result).folder / "records" / "OUTPUT").read_bytes()) == {"mean": 12.5}
    (start,) = starts(line, "demo/sync-record-task")
    assert start["path"].endswith("/run-sync")


@pytest.mark.thorough
@pytest.mark.parametrize("tells_running", [False, True], ids=["408", "running-object"])
def test_run_longer_than_the_endpoint_waits_is_adopted(line, tells_running):
    name = f"sync-long-{'running' if tells_running else '408'}"
    script = {"items": 300, "duration_secs": 6, "sync_limit_secs": 1, "sync_tells_running": tells_running}
    actor = line.emulator.actor(name, **script)
    order = line.submit({"key": name, "actor": actor, **QUICK, "poll_interval_secs": 1})
    assert_every_row_of_one_run(line, order.get(timeout=120), actor, 300)


@pytest.mark.parametrize(
    "fault",
    [{"action": "reset_after"}, {"action": "cut_body", "after_bytes": 2000}],
    ids=["lost-response", "cut-response"],
)
def test_broken_answer_costs_no_second_run_and_no_row(line, faults, fault):
    name = f"sync-{fault['action'].replace('_', '-')}"
    actor = line.emulator.actor(name, items=900, duration_secs=3)
    faults({"method": "POST", "path_regex": f"{name}/run-sync", **fault})
    order = line.submit({"key": name, "actor": actor, **QUICK, "poll_interval_secs": 1})
    assert_every_row_of_one_run(line, order.get(timeout=120), actor, 900)


def test_failed_run_ends_partial_with_its_rows(line):
    actor = line.emulator.actor("sync-failed", items=200, duration_secs=1, final_status="FAILED")
    order = line.submit({"key": "sync-failed", "actor": actor, **QUICK, "poll_interval_secs": 1})
    result = order.get(timeout=120)
    assert (result["state"], result["reason"]["code"], result["items"]) == ("PARTIAL", "run-failed", 200)
    assert len(line.emulator.runs_of(actor)) == 1


def test_cancel_while_the_answer_is_waited_for_aborts_the_run(line):
    actor = line.emulator.actor("sync-cancelled", items=6000, duration_secs=250)
    order = line.submit({"key": "sync-cancelled", "actor": actor, **QUICK, "poll_interval_secs": 1})
    wait_for(lambda: line.state("sync-cancelled") == "RUNNING", what="the run, found while it goes on")
    line.cancel("sync-cancelled")
    with pytest.raises(Exception) as raised:  # noqa: PT011 - a service can't import our classes
        order.get(timeout=120)
    assert type(raised.value).__name__ == "JobCancelled"
    (run,) = line.emulator.runs_of(actor)
    assert run["status"] == "ABORTED"


@pytest.mark.thorough
def test_worker_killed_awaiting_a_reply_is_replaced(own_line):
    line = own_line("sync-killed")
    actor = line.emulator.actor("sync-killed", items=300, duration_secs=250)
    with running_workers(line, "control", "fetch") as workers:
        order = line.submit({"key": "sync-killed", "actor": actor, "mode": "sync", "poll_interval_secs": 1})
        wait_for(lambda: starts(line, actor), what="the start")
        wait_for(lambda: line.state("sync-killed") == "RUNNING", what="the run, found while it goes on")
        workers[1].kill()
        line.emulator.finish_runs_of(actor)
        workers.append(start_worker("fetch", line))
        assert_every_row_of_one_run(line, order.get(timeout=120), actor, 300)


@pytest.mark.parametrize(
    "document",
    [{"run_id": "r1"}, {"actor": "a/b", "options": {"force_permission_level": "LIMITED_PERMISSIONS"}}],
    ids=["no-start", "permission-level"],
)
def test_what_sync_endpoints_cannot_do_is_refused_at_once(line, document):
    with pytest.raises(Exception, match="sync") as raised:
        line.submit({"mode": "sync", **document}).get(timeout=120)
    assert type(raised.value).__name__ == "JobRefused"

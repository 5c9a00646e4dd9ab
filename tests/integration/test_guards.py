"""Contracts for rows, and stopping early: what is aborted, delivered, billed and told."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from beats import orders, running_beats
from celery.result import AsyncResult
from real_parts import Line, delivery_of, running_workers, wait_for

from actorline.jobs.job_result import JobResult
from actorline.ledger.admission.schedule_pauses import paused_schedules
from actorline.schedules.book import Book

pytestmark = pytest.mark.thorough

FAULTY_WORKER = str(Path(__file__).parents[1] / "chaos" / "faulty_worker.py")

QUICK = {"poll_interval_secs": 1}
LARGE = {"items": 600_000, "item_rate": 1_000, "duration_secs": 600, "item_kind": "plain", "usage_usd": 60}


def place(line: Line, key: str, script: dict, **document) -> AsyncResult:
    """Order a job of an Actor of its own."""
    actor = line.emulator.actor(key, **script)
    return line.submit({"key": key, "actor": actor, **QUICK, **document})


def order(line: Line, key: str, script: dict, **document) -> dict:
    """Order it, and return its result."""
    return place(line, key, script, **document).get(timeout=120)


def told(line: Line, key: str, event: str) -> dict:
    (entry,) = [entry for entry in line.ledger.timeline.entries(key) if entry.event == event]
    return entry.data


def aborts(line: Line, run_id: str) -> list[dict]:
    return line.emulator.requests("POST", f"/v2/actor-runs/{run_id}/abort")


def rows_of(line: Line, result: dict) -> int:
    """The rows of the delivery, which are those of the dataset."""
    expected = line.emulator.expected(result["dataset_id"])
    assert delivery_of(result).sha256 == expected["sha256"]
    return expected["count"]


def test_broken_contract_aborts_the_run_within_seconds(line):
    script = {**LARGE, "item_rate": 200, "drift_from": 1_000}
    result = order(line, "guard-drift", script, guard={"required": ["url", "price"]})
    assert (result["state"], result["run_status"], result["reason"]["code"]) == ("PARTIAL", "ABORTED", "guard-broken")
    assert result["reason"]["billed"]
    assert "price is missing in" in result["reason"]["message"]
    assert ": 1001, 1002," in result["reason"]["message"]
    run = line.emulator.run(result["run_id"])
    began, ended = (datetime.fromisoformat(run[name]).timestamp() for name in ("startedAt", "finishedAt"))
    assert ended - began < 5 + 55  # row 1,000 came five seconds after the start, and the run would go on for minutes
    assert run["usageTotalUsd"] < 0.11 * LARGE["usage_usd"]
    assert rows_of(line, result) == result["items"] > 1_000
    assert len(line.emulator.runs_of("demo/guard-drift")) == 1
    assert told(line, "guard-drift", "guard-broken")["message"].startswith("aborted after ")
    assert result["broken"]["rule"] == "required"
    assert result["broken"]["first"] == list(range(1_001, 1_011))


def test_kept_contract_delivers(line):
    guard = {"required": ["url"], "types": {"price": "number"}, "unique": ["url"], "min_items": 300, "after_items": 50,
             "max_usd_per_1000": 100.0, "silent_secs": 60}  # fmt: skip
    result = order(line, "guard-kept", {"items": 300, "item_kind": "plain", "duration_secs": 3}, guard=guard)
    assert (result["state"], result["items"], result["reason"]) == ("DELIVERED", 300, None)
    assert (result["broken"], result["stopped"]) == (None, None)


SHORT = {
    "few": ({"items": 99}, {"min_items": 100}, "99 rows came; at least 100 were expected"),
    "none": ({"items": 0}, {"min_items": 1}, "0 rows came; at least 1 were expected"),
    "dear": ({"items": 100, "usage_usd": 1}, {"max_usd_per_1000": 5}, "which is $10.00 for 1,000"),
    "dearer": ({"items": 100, "usage_usd": 1, "figures_lag_secs": 4}, {"max_usd_per_1000": 5}, "is $10.00 for 1,000"),
    "twice": ({"items": 100, "url_count": 60}, {"unique": ["url"]}, "in 40 % of 100 rows"),
    "text": ({"items": 100}, {"types": {"title": "number"}}, "title is not a number in 100 %"),
    "empty": ({"items": 100, "drift_from": 0}, {"required": ["price"]}, "price is missing in 100 %"),
}


def test_rows_of_a_short_run_are_judged_at_its_end(line):
    placed = {
        name: place(line, f"guard-end-{name}", {"duration_secs": 0.2, "item_kind": "plain", **script}, guard=guard)
        for name, (script, guard, _) in SHORT.items()
    }
    for name, (script, _, words) in SHORT.items():
        result = placed[name].get(timeout=120)
        assert (result["state"], result["reason"]["code"]) == ("PARTIAL", "guard-broken")
        assert words in result["reason"]["message"]
        assert (result["items"], result["run_status"]) == (script["items"], "SUCCEEDED")


def test_report_only_reports(line):
    guard = {"required": ["price"], "on_violation": "report"}
    result = order(line, "guard-report", {"items": 300, "item_kind": "plain", "drift_from": 0, "duration_secs": 3},
                   guard=guard)  # fmt: skip
    assert (result["state"], result["items"], result["reason"]) == ("DELIVERED", 300, None)
    assert result["broken"]["rule"] == "required"
    assert aborts(line, result["run_id"]) == []


def test_silence_aborts_the_run(line):
    script = {"items": 50, "item_rate": 1_000, "duration_secs": 600, "item_kind": "plain"}
    result = order(line, "guard-silent", script, guard={"silent_secs": 1})
    assert (result["state"], result["reason"]["code"], result["items"]) == ("PARTIAL", "guard-broken", 50)
    assert "no new row came for" in result["reason"]["message"]


ENOUGH = {
    "items": {"stop_when": {"items": 2_000}},
    "unique": {"stop_when": {"unique": 1_500}, "guard": {"unique": ["url"], "max_duplicates": 1.0}},
    "usd": {"stop_when": {"usd": 0.3}},
    "matches": {"stop_when": {"matches": {"index": 1_234}}},
}


def test_enough_rows_stop_the_run_and_are_delivered(line):
    placed = {rule: place(line, f"guard-enough-{rule}", LARGE, **document) for rule, document in ENOUGH.items()}
    results = {rule: order.get(timeout=120) for rule, order in placed.items()}
    for rule, result in results.items():
        assert (result["state"], result["run_status"], result["reason"]) == ("DELIVERED", "ABORTED", None)
        assert (result["stopped"]["code"], result["stopped"]["rule"]) == ("stopped-early", rule)
        assert rows_of(line, result) == result["items"] < 100_000
        assert all(request["query"] == {"gracefully": "true"} for request in aborts(line, result["run_id"]))
        assert len(line.emulator.runs_of(f"demo/guard-enough-{rule}")) == 1
    assert results["items"]["stopped"]["beyond"] == results["items"]["items"] - 2_000


def aborted_by_another(line: Line, run_id: str) -> None:
    line.emulator.post(f"/v2/actor-runs/{run_id}/abort")


def refuses_aborts(line: Line, run_id: str) -> None:
    line.emulator.faults({"method": "POST", "action": "status", "status": 403, "path_regex": f"{run_id}/abort$"})


def aborts_late(line: Line, run_id: str) -> None:
    fault = {"method": "POST", "action": "status", "status": 400, "path_regex": f"{run_id}/abort$"}
    line.emulator.faults({**fault, "nth": 1, "times": 2})


def deadline_passes(line: Line, run_id: str) -> None:
    line.let_deadline_pass(line.ledger.runs.key_of(run_id))


def cancels(line: Line, run_id: str) -> None:
    line.cancel(line.ledger.runs.key_of(run_id))


# it would have ended otherwise, and is being aborted for some seconds
RACE = {"items": 300_000, "item_rate": 500, "duration_secs": 600, "abort_secs": 4}
UNSTOPPED = {**RACE, "items": 6_000, "duration_secs": 12}
SHORT_RUN = {"items": 300, "duration_secs": 2}
NEVER = {"stop_when": {"items": 600_000}}
ENDS = {
    # what the run does, what else is ordered, what happens meanwhile: the job's state, the run's status, is it stopped
    "succeeds-before": (SHORT_RUN, {}, None, "DELIVERED", "SUCCEEDED", False),
    "fails-before": ({**SHORT_RUN, "final_status": "FAILED"}, {"on_failure": {}}, None, "PARTIAL", "FAILED", False),
    "succeeds-meanwhile": (RACE, {}, None, "DELIVERED", "ABORTED", True),
    "fails-meanwhile": ({**RACE, "final_status": "FAILED"}, {}, None, "DELIVERED", "ABORTED", True),
    "times-out-meanwhile": ({**RACE, "final_status": "TIMED-OUT"}, {}, None, "DELIVERED", "ABORTED", True),
    "aborts-meanwhile": ({**RACE, "final_status": "ABORTED"}, {}, None, "DELIVERED", "ABORTED", True),
    "aborted-by-another": (LARGE, NEVER, aborted_by_another, "PARTIAL", "ABORTED", False),
    "cancelled": (LARGE, NEVER, cancels, "CANCELLED", "ABORTED", False),
    "deadline": (LARGE, {**NEVER, "deadline_secs": 600}, deadline_passes, "EXPIRED", "ABORTED", False),
    "ready-for-long": ({**RACE, "ready_secs": 4}, {}, None, "DELIVERED", "ABORTED", True),
    "abort-refused": (UNSTOPPED, {}, refuses_aborts, "DELIVERED", "SUCCEEDED", False),
    "abort-late": (RACE, {}, aborts_late, "DELIVERED", "ABORTED", True),
    "resurrected": ({**SHORT_RUN, "final_status": "FAILED", "resurrected": {**RACE, "final_status": "SUCCEEDED"}},
                    {}, None, "DELIVERED", "ABORTED", True),
}  # fmt: skip


def test_every_end_of_a_run_that_may_be_stopped(line, faults):
    placed = {}
    for name, (script, document, meanwhile, *_) in ENDS.items():
        order = {"stop_when": {"items": 1_000}, "on_failure": {"new_runs": 2, "resurrect": 2}, **document}
        placed[name] = place(line, f"guard-ends-{name}", {"item_kind": "plain", **script}, **order)
        if meanwhile:
            job = f"guard-ends-{name}"
            wait_for(lambda job=job: (found := line.ledger.load(job)) and found.run.id, what="the run")
            meanwhile(line, line.ledger.load(job).run.id)
    ends = {}
    for name in ENDS:
        wait_for(lambda job=f"guard-ends-{name}": line.ledger.load(job).is_terminal, within=120, what=f"the end {name}")
        result = JobResult.of(line.ledger.load(f"guard-ends-{name}")).model_dump(mode="json")
        ends[name] = (result["state"], result["run_status"], result["stopped"] is not None)
        assert len(line.emulator.runs_of(f"demo/guard-ends-{name}")) == 1
        if result["state"] == "DELIVERED":
            assert rows_of(line, result) == result["items"]
        if result["stopped"]:
            assert result["stopped"]["beyond"] == result["items"] - 1_000 >= 0
    assert ends == {name: (state, status, stopped) for name, (*_, state, status, stopped) in ENDS.items()}


def test_cancel_comes_before_a_stop(line):
    actor = line.emulator.actor("guard-cancelled", **{**LARGE, "abort_secs": 600})
    line.submit({"key": "guard-cancelled", "actor": actor, "stop_when": {"items": 1_000}, **QUICK})
    wait_for(lambda: "aborting" in line.events("guard-cancelled"), what="the stop")
    run_id = line.ledger.load("guard-cancelled").run.id
    wait_for(lambda: line.emulator.run(run_id)["status"] == "ABORTING", what="the abort")
    line.cancel("guard-cancelled").get(timeout=120)
    line.emulator.finish(run_id)
    wait_for(lambda: line.ledger.load("guard-cancelled").is_terminal, what="the end")
    assert line.ledger.load("guard-cancelled").state == "CANCELLED"
    assert len(line.emulator.runs_of(actor)) == 1


def test_documents_that_cannot_be_judged_are_refused(line):
    for change, words in (
        ({"collect": {"format": "csv"}}, "collect.format is csv"),
        ({"collect": {"dataset": False}}, "collect.dataset is false"),
        ({"mode": "sync"}, "async"),
    ):
        with pytest.raises(Exception, match="guard-refused") as raised:
            line.submit({"key": "guard-refused", "actor": "demo/rows", "guard": {"required": ["a"]}, **change}).get(
                timeout=120
            )
        assert words in json.loads(str(raised.value))["reason"]["message"]


DYING = {
    "keys-kept": "actorline.ledger.pages:Pages.keep_keys 1 after",
    "schedule-paused": "actorline.stages.collect.judge_rows:pause_for_guard 1 after",
    "breach-recorded": "actorline.stages.collect.judge_rows:RowsJudge._break 1 after",
    "before-the-abort": "actorline.stages.watch.poll_run:abort_run 1 before",
    "after-the-abort": "actorline.stages.watch.poll_run:abort_run 1 after",
    "run-ended": "actorline.stages.watch.poll_run:Poller._conclude 1 after",
    "all-judged": "actorline.stages.collect.judge_rows:RowsJudge.judge_all 1 after",
}
STOPPING = {
    "enough-recorded": "actorline.stages.collect.judge_rows:RowsJudge._stop 1 after",
    "after-the-stop": "actorline.stages.watch.poll_run:abort_run 1 after",
    "stopped-run-ended": "actorline.stages.watch.poll_run:Poller._conclude 1 after",
}


def order_while_a_worker_dies(line: Line, moment: str, key: str, **document) -> dict:
    """Order a job, let its worker be killed at that moment, and return the result that the next one brings."""
    actor = line.emulator.actor(f"guard-{key}", **{**LARGE, "item_rate": 200, "url_count": 300})
    command = [sys.executable, "-P", "-W", "ignore", FAULTY_WORKER, "all"]
    environment = {**line.environment, "CHAOS_DIE": moment}
    worker = subprocess.Popen(command, cwd=line.home, env=environment, stdout=subprocess.DEVNULL)
    try:
        answer = line.submit({"key": key, "actor": actor, **document, **QUICK})
        worker.wait(180)
        with running_workers(line, "all"):
            result = answer.get(timeout=300)  # a message that is lost with its worker is missed after two minutes
    finally:
        worker.kill()
        worker.wait()
    assert rows_of(line, result) == result["items"]
    assert len(line.emulator.runs_of(actor)) == 1
    return result


@pytest.mark.parametrize("step", DYING)
def test_rows_count_once_though_a_worker_dies(own_line, step):
    guard = {"unique": ["url"], "max_duplicates": 0.1, "after_items": 100}
    result = order_while_a_worker_dies(own_line(f"guard-dies-{step}"), DYING[step], f"dies-{step}", guard=guard)
    assert (result["state"], result["reason"]["code"]) == ("PARTIAL", "guard-broken")
    broken = result["broken"]
    assert broken["figure"] == round((broken["rows"] - 300) / broken["rows"], 6)
    assert broken["first"] == list(range(301, 311))


@pytest.mark.parametrize("step", STOPPING)
def test_stopped_run_is_delivered_though_a_worker_dies(own_line, step):
    line, stop_when = own_line(f"guard-{step}"), {"items": 300}
    result = order_while_a_worker_dies(line, STOPPING[step], step, stop_when=stop_when)
    assert (result["state"], result["run_status"], result["reason"]) == ("DELIVERED", "ABORTED", None)
    assert result["stopped"]["rule"] == "items"
    assert result["items"] - 300 == result["stopped"]["beyond"] >= 0


def test_schedule_pauses_before_the_next_bill(own_line):
    line = own_line("guard-schedule")
    actor = line.emulator.actor("guard-scheduled", **LARGE, drift_from=0)
    (line.home / "schedules.toml").write_text(
        f'[schedules.nightly]\nevery_secs = 6\non_guard = "pause"\n[schedules.nightly.document]\nactor = "{actor}"\n'
        'poll_interval_secs = 1\nguard = {required = ["price"]}\n'
    )

    def position():
        entry = Book(line.ledger).read().entries.get("nightly")
        return entry.place if entry else None

    with running_workers(line, "all"), running_beats(line, 1):
        wait_for(lambda: (place := position()) and place.paused, what="a due time that passes")
        (key,) = orders(line, "nightly")
        wait_for(lambda: line.ledger.load(key).is_terminal, what="the job's end")
    assert line.ledger.load(key).reason.code == "guard-broken"
    assert len(line.emulator.runs_of(actor)) == 1
    pause = paused_schedules(line.ledger)["nightly"]
    assert (pause.by, pause.job_key) == ("guard", key)


def test_batch_members_are_judged_by_themselves(line):
    good = line.emulator.actor("guard-batch", items=300, item_kind="plain", duration_secs=2)
    batch = {
        "key": "guard-batch",
        "template": {"actor": good, "guard": {"required": ["price"], "min_items": 1}, **QUICK},
        "inputs": [{}, {"emulate": {**LARGE, "drift_from": 0}}, {"emulate": LARGE}],
    }
    batch["template"]["stop_when"] = {"items": 1_000}
    line.client.send_task("actorline.batch", [batch], queue=line.namespace)
    keys = [f"guard-batch.00000{number}" for number in range(3)]
    wait_for(lambda: all((job := line.ledger.load(key)) and job.is_terminal for key in keys), what="the members' ends")
    kept, broken, stopped = (line.ledger.load(key) for key in keys)
    assert (kept.state, broken.state, broken.reason.code) == ("DELIVERED", "PARTIAL", "guard-broken")
    assert (kept.enough, stopped.state, stopped.run.status) == (None, "DELIVERED", "ABORTED")
    assert stopped.enough.rule == "items"
    assert len(line.emulator.runs_of(good)) == 3

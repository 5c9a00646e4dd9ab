"""What a failed run gets by `on_failure`: a resurrection, then another run, then its end with the log's last words."""

from contextlib import closing
from typing import Any

import pytest
from pydantic import SecretStr
from real_parts import TOKEN, delivery_of, reason_of, wait_for

from actorline.platform.client import Platform
from actorline.upkeep.orphans import find_orphans

QUICK = {"poll_interval_secs": 1}
FAILING = {"items": 300, "duration_secs": 0.5, "final_status": "FAILED", "usage_usd": 0.02}
CURED = {"final_status": "SUCCEEDED", "items": 500}


def resurrections(line, run_id: str) -> list[dict[str, Any]]:
    return line.emulator.requests("POST", f"/v2/actor-runs/{run_id}/resurrect")


def assert_every_row(line, result, items):
    assert (result["state"], result["items"]) == ("DELIVERED", items)
    assert delivery_of(result).sha256 == line.emulator.expected(result["dataset_id"])["sha256"]


def test_failed_run_is_resurrected_and_no_second_one_paid(line):
    actor = line.emulator.actor("cured", **FAILING, resurrected=CURED)
    policy = {"resurrect": 1, "new_runs": 1, "resurrect_timeout_secs": 77}
    result = line.submit({"key": "cured", "actor": actor, "on_failure": policy, **QUICK}).get(timeout=120)
    assert_every_row(line, result, 500)
    assert (result["attempt"], len(line.emulator.starts(actor))) == (1, 1)
    (asked,) = resurrections(line, result["run_id"])
    assert asked["query"] == {"timeout": "77"}
    assert "resurrecting" in line.events("cured")


def test_resurrection_whose_reply_is_lost_is_not_repeated(line, faults):
    actor = line.emulator.actor("cured-unheard", **FAILING, resurrected=CURED | {"duration_secs": 2})
    faults({"method": "POST", "action": "reset_after", "path_regex": "/resurrect$", "nth": 1})
    order = line.submit({"key": "cured-unheard", "actor": actor, "on_failure": {"resurrect": 3}, **QUICK})
    result = order.get(timeout=120)
    assert_every_row(line, result, 500)
    assert len(resurrections(line, result["run_id"])) == 1
    told = [event for event in line.events("cured-unheard") if "resurrect" in event]
    assert told == ["resurrecting", "resurrection-unclear", "resurrected"]


def test_resurrection_by_a_response_without_a_run_is_unclear(line, faults):
    actor = line.emulator.actor("cured-by-a-proxy", **FAILING, resurrected=CURED | {"duration_secs": 600})
    faults({"method": "POST", "action": "status", "status": 200, "path_regex": "/resurrect$", "nth": 1})
    line.submit({"key": "cured-by-a-proxy", "actor": actor, "on_failure": {"resurrect": 1}, **QUICK})
    wait_for(lambda: "resurrection-unclear" in line.events("cured-by-a-proxy"), what="the unclear resurrection")
    assert "resurrected" not in line.events("cured-by-a-proxy")
    line.cancel("cured-by-a-proxy")


def test_run_that_fails_for_good_is_replaced_by_a_new_one(line):
    actor = line.emulator.actor("second-try", **FAILING | {"duration_secs": 600, "figures_lag_secs": 8})
    order = line.submit({"key": "second-try", "actor": actor, "on_failure": {"new_runs": 2}, **QUICK})
    first = wait_for(lambda: (job := line.ledger.load("second-try")) and job.run.id, what="the first run")
    line.emulator.actor("second-try", items=400, duration_secs=0.5, usage_usd=0.03, seed=2)
    line.emulator.finish(first)
    result = order.get(timeout=120)
    assert_every_row(line, result, 400)
    assert (result["attempt"], result["run_id"] != first) == (2, True)
    assert result["cost_usd"] == pytest.approx(0.05)  # of the first one what it cost in the end
    assert len(line.emulator.starts(actor)) == 2


def test_used_up_chances_end_the_job_with_the_logs_end(line):
    actor = line.emulator.actor("hopeless", **FAILING | {"items": 0})
    policy = {"resurrect": 1, "new_runs": 1}
    order = line.submit({"key": "hopeless", "actor": actor, "on_failure": policy, **QUICK})
    with pytest.raises(Exception) as raised:  # noqa: PT011 - a service can't import our classes
        order.get(timeout=120)
    reason = reason_of(raised.value)
    assert reason["code"] == "run-failed"
    assert "Its log ends: " in reason["message"]
    assert "The run ended as FAILED." in reason["message"]
    assert len(line.emulator.starts(actor)) == 2
    assert line.ledger.load("hopeless").total_cost_usd == pytest.approx(0.06)


def test_resurrected_run_ends_by_itself_with_the_jobs_deadline(line):
    actor = line.emulator.actor("cured-in-time", **FAILING, resurrected=CURED)
    order = {"key": "cured-in-time", "actor": actor, "deadline_secs": 1000, "on_failure": {"resurrect": 1}, **QUICK}
    result = line.submit({**order, "options": {"timeout_secs": 0}}).get(timeout=120)
    (asked,) = resurrections(line, result["run_id"])
    assert 900 <= int(asked["query"]["timeout"]) <= 1015


def test_run_that_somebody_aborted_stays_aborted(line):
    actor = line.emulator.actor("aborted-by-hand", **FAILING | {"items": 0, "final_status": "ABORTED"})
    policy = {"resurrect": 2, "new_runs": 2}
    order = line.submit({"key": "aborted-by-hand", "actor": actor, "on_failure": policy, **QUICK})
    with pytest.raises(Exception) as raised:  # noqa: PT011
        order.get(timeout=120)
    assert reason_of(raised.value)["code"] == "run-aborted"
    (run,) = line.emulator.runs_of(actor)
    assert resurrections(line, run["id"]) == []


def test_refused_resurrection_is_followed_by_the_new_run(line, faults):
    actor = line.emulator.actor("unrevivable", **FAILING | {"duration_secs": 600})
    faults({"method": "POST", "action": "status", "status": 400, "type": "job-finished", "path_regex": "/resurrect$"})
    policy = {"resurrect": 2, "new_runs": 1}
    order = line.submit({"key": "unrevivable", "actor": actor, "on_failure": policy, **QUICK})
    first = wait_for(lambda: (job := line.ledger.load("unrevivable")) and job.run.id, what="the first run")
    line.emulator.actor("unrevivable", items=400, duration_secs=0.5)
    line.emulator.finish(first)
    result = order.get(timeout=120)
    assert_every_row(line, result, 400)
    assert line.events("unrevivable").count("resurrecting") == 1


def test_cancel_after_a_resurrection_aborts_the_run(line):
    actor = line.emulator.actor("cancelled-revived", **FAILING, resurrected={"duration_secs": 600})
    order = line.submit({"key": "cancelled-revived", "actor": actor, "on_failure": {"resurrect": 1}, **QUICK})
    wait_for(lambda: "resurrecting" in line.events("cancelled-revived"), what="the resurrection")
    line.cancel("cancelled-revived")
    with pytest.raises(Exception) as raised:  # noqa: PT011
        order.get(timeout=120)
    assert type(raised.value).__name__ == "JobCancelled"
    (run,) = line.emulator.runs_of(actor)
    assert run["status"] == "ABORTED"


def test_cancel_waits_for_a_resurrection_that_is_under_way(line, faults):
    actor = line.emulator.actor("cancelled-amid", **FAILING, resurrected={"duration_secs": 600})
    faults({"method": "POST", "action": "late", "secs": 3, "path_regex": "/resurrect$"})
    order = line.submit({"key": "cancelled-amid", "actor": actor, "on_failure": {"resurrect": 1}, **QUICK})
    wait_for(lambda: "resurrecting" in line.events("cancelled-amid"), what="the resurrection")
    line.cancel("cancelled-amid")
    with pytest.raises(Exception) as raised:  # noqa: PT011
        order.get(timeout=120)
    assert type(raised.value).__name__ == "JobCancelled"
    (run,) = line.emulator.runs_of(actor)
    assert (run["status"], len(resurrections(line, run["id"]))) == ("ABORTED", 1)
    assert line.ledger.load("cancelled-amid").chances.resurrection is None


@pytest.mark.thorough
def test_resurrection_after_the_end_is_aborted_a_persons_not(line, faults):
    actor = line.emulator.actor("late-revived", **FAILING, resurrected={"duration_secs": 600})
    faults({"method": "POST", "action": "reset_before", "path_regex": "/resurrect$"})
    line.submit({"key": "late-revived", "actor": actor, "on_failure": {"resurrect": 1}, **QUICK})
    wait_for(lambda: "resurrecting" in line.events("late-revived"), what="the resurrection")
    line.cancel("late-revived")
    wait_for(lambda: line.state("late-revived") == "CANCELLED", what="the job's end")
    line.emulator.end_faults()
    (run,) = line.emulator.runs_of(actor)

    def run_is(status):
        return wait_for(lambda: line.emulator.run(run["id"])["status"] == status, what=f"a run that is {status}")

    # what was on its way arrives after the end, however long that was waited for
    line.emulator.post(f"/v2/actor-runs/{run['id']}/resurrect")
    line.send("actorline.sweep", "default", queue="control")
    run_is("ABORTED")
    line.send("actorline.look_again", "late-revived", 1, queue="control")
    wait_for(lambda: line.ledger.load("late-revived").chances.resurrection is None, what="the second look")
    wait_for(lambda: run["id"] not in line.ledger.runs.strays(), what="the abort's being confirmed")
    line.emulator.post(f"/v2/actor-runs/{run['id']}/resurrect")
    with closing(Platform(line.emulator.url, SecretStr(TOKEN), user_agent="test")) as platform:
        orphans = list(find_orphans(line.ledger, platform, line.ledger.installation(None), "default"))
    assert run["id"] not in [orphan.run.id for orphan in orphans]
    assert run["id"] not in line.ledger.runs.strays()
    line.emulator.post(f"/v2/actor-runs/{run['id']}/abort")

"""Each end of a job, as the caller gets it: a value, or an exception whose one argument is the result as JSON."""

import json
import subprocess
import sys
from typing import Any

import pytest
from real_parts import delivery_of, wait_for

LONG = {"duration_secs": 600, "items": 6000}
QUICK = {"poll_interval_secs": 1}


@pytest.fixture(scope="module")
def orders(line) -> dict[str, Any]:
    """One order for each end, placed at once so that their runs go on side by side: name -> its pending result."""
    failing = {"items": 1200, "duration_secs": 0.5, "final_status": "FAILED", "status_message": "The site answered 403"}
    actors = {
        "delivered": line.emulator.actor("delivered", items=1200, duration_secs=0.5),
        "partial": line.emulator.actor("partial", **failing),
        "partial-unwanted": line.emulator.actor("partial-unwanted", **failing),
        "failed": line.emulator.actor("failed", items=0, duration_secs=0.5, final_status="FAILED"),
        "aborted": line.emulator.actor("aborted", items=0, duration_secs=0.5, final_status="ABORTED"),
        "timed-out": line.emulator.actor("timed-out", items=700, duration_secs=0.5, final_status="TIMED-OUT"),
        "not-found": "demo/nobody",
        "cancelled": line.emulator.actor("cancelled", **LONG),
        "expired": line.emulator.actor("expired", **LONG),
    }
    more = {"partial-unwanted": {"on_failure": {"deliver_partial": False}}, "expired": {"deadline_secs": 600}}
    placed = {
        name: line.submit({"key": f"ends-{name}", "actor": actor, **QUICK, **more.get(name, {})})
        for name, actor in actors.items()
    }
    wait_for(lambda: line.state("ends-cancelled") == "RUNNING", what="the run that is to be cancelled")
    line.cancel("ends-cancelled")
    line.let_deadline_pass("ends-expired")
    return placed


def ending(order: Any, name: str) -> dict[str, Any]:
    """The result in the exception of that name, which the order's caller must get."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - a service can't import our classes: it sees their names
        order.get(timeout=120)
    assert type(raised.value).__name__ == name
    (argument,) = raised.value.args
    return json.loads(argument)


def test_delivered_job_returns_its_result_and_leaves_every_row(line, orders):
    result = orders["delivered"].get(timeout=120)
    assert (result["state"], result["reason"], result["run_status"]) == ("DELIVERED", None, "SUCCEEDED")
    assert (result["items"], result["scanned"], result["adopted"], result["attempt"]) == (1200, 1200, False, 1)
    assert result["run_finished_at"].endswith("Z")
    assert result["queued_at"] <= result["started_at"] <= result["run_finished_at"] <= result["delivered_at"]
    delivery = delivery_of(result)
    assert delivery.files == {
        "_actorline.json",
        "_SUCCESS",
        "manifest.json",
        "part-00000.jsonl.gz",
        "part-00001.jsonl.gz",
    }
    assert delivery.manifest["complete"] is True
    assert delivery.manifest["totals"]["items"] == 1200
    assert delivery.sha256 == line.emulator.expected(result["dataset_id"])["sha256"]
    assert len(json.dumps(result)) < 4096


def test_failed_run_with_rows_returns_a_partial_result(line, orders):
    result = orders["partial"].get(timeout=120)
    assert (result["state"], result["run_status"], result["items"]) == ("PARTIAL", "FAILED", 1200)
    message = result["reason"]["message"]
    assert result["reason"] == {"code": "run-failed", "message": message, "platform_type": None, "billed": True}
    assert message.startswith("The run ended FAILED: The site answered 403. Its log ends: ")
    assert message.endswith("ACTOR: The run ended as FAILED.")
    delivery = delivery_of(result)
    assert delivery.manifest["complete"] is False
    assert delivery.manifest["reason"] == result["reason"]
    assert "_SUCCESS" not in delivery.files
    assert delivery.sha256 == line.emulator.expected(result["dataset_id"])["sha256"]


def test_run_that_timed_out_returns_its_rows_as_a_partial_result(orders):
    result = orders["timed-out"].get(timeout=120)
    assert (result["state"], result["run_status"], result["items"]) == ("PARTIAL", "TIMED-OUT", 700)
    assert result["reason"]["code"] == "run-timed-out"


def test_partial_rows_that_nobody_wants_raise_job_failed(orders):
    result = ending(orders["partial-unwanted"], "JobFailed")
    assert (result["state"], result["reason"]["code"], result["items"]) == ("FAILED", "run-failed", 0)
    assert result["manifest"] is None


def test_failed_run_without_rows_raises_job_failed(orders):
    result = ending(orders["failed"], "JobFailed")
    assert (result["state"], result["run_status"]) == ("FAILED", "FAILED")
    assert (result["reason"]["code"], result["reason"]["billed"]) == ("run-failed", True)
    assert (result["items"], result["delivered_at"]) == (0, None)


def test_run_that_somebody_aborted_raises_job_failed(orders):
    result = ending(orders["aborted"], "JobFailed")
    assert (result["state"], result["reason"]["code"]) == ("FAILED", "run-aborted")


def test_unknown_actor_raises_job_refused_and_bills_nothing(orders):
    result = ending(orders["not-found"], "JobRefused")
    assert (result["state"], result["run_id"]) == ("FAILED", None)
    assert (result["reason"]["code"], result["reason"]["billed"]) == ("actor-not-found", False)
    assert result["reason"]["platform_type"] == "actor-not-found"


def test_run_that_the_account_can_never_hold_ends_with_that(line, faults):
    line.emulator.actor("too-large-for-ever", items=1)
    faults(
        {
            "method": "POST",
            "path_regex": "too-large-for-ever",
            "action": "status",
            "status": 402,
            "type": "actor-memory-limit-exceeded",
        },
        {
            "path_regex": "users/me/limits",
            "action": "status",
            "status": 200,
            "html": '{"data": {"limits": {"maxActorMemoryGbytes": 8}, "current": {}}}',
        },
    )
    sink = {"url": f"{line.home.as_uri()}/rows/_too-large/"}
    order = line.submit({"actor": "demo/too-large-for-ever", "options": {"memory_mbytes": 16384}, "sink": sink})
    result = ending(order, "JobFailed")
    assert (result["reason"]["code"], result["reason"]["billed"], result["run_id"]) == ("capacity", False, None)
    assert "may use 8,192 MB in total" in result["reason"]["message"]
    assert len(line.emulator.starts("demo/too-large-for-ever")) == 1
    delivered = line.submit({"actor": line.emulator.actor("small", items=1), "sink": sink, **QUICK}).get(timeout=120)
    assert delivered["state"] == "DELIVERED"  # in the folder that the first one had claimed


def test_cancelled_job_raises_once_its_run_is_aborted(line, orders):
    result = ending(orders["cancelled"], "JobCancelled")
    assert (result["state"], result["run_status"]) == ("CANCELLED", "ABORTED")
    assert result["reason"]["code"] == "cancelled"
    assert line.emulator.run(result["run_id"])["status"] == "ABORTED"


@pytest.mark.thorough
def test_expired_job_raises_once_its_run_is_aborted(line, orders):
    result = ending(orders["expired"], "JobExpired")
    assert (result["state"], result["run_status"]) == ("EXPIRED", "ABORTED")
    assert result["reason"]["code"] == "deadline"
    assert line.emulator.run(result["run_id"])["status"] == "ABORTED"


def test_cancel_of_a_job_that_has_ended_changes_nothing(line, orders):
    result = orders["delivered"].get(timeout=120)
    before = line.events("ends-delivered")
    assert line.cancel("ends-delivered").get(timeout=120) == result
    assert line.events("ends-delivered") == before


def test_status_and_cancel_of_an_unknown_key_answer_null(line):
    assert line.send("actorline.status", "nobody").get(timeout=120) is None
    assert line.cancel("nobody").get(timeout=120) is None


def test_status_shows_the_same_result_as_the_caller_gets(line, orders):
    result = orders["partial"].get(timeout=120)
    assert line.send("actorline.status", "ends-partial").get(timeout=120) == result


CALLER = """
import sys
from celery import Celery

client = Celery(broker=sys.argv[1], backend=sys.argv[2])
try:
    client.send_task("actorline.run", [{"actor": "demo/nobody"}], queue="shared").get(timeout=120)
except Exception as error:
    print(type(error).__name__, len(error.args), error.args[0])
assert not [name for name in sys.modules if name.partition(".")[0] in {"actorline", "tasks", "workers", "config"}]
"""


def test_caller_that_imports_nothing_of_ours_gets_the_exception(line):
    printed = subprocess.run(
        [sys.executable, "-P", "-c", CALLER, line.broker, line.results],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    name, arguments, result = printed.split(" ", 2)
    assert (name, arguments) == ("JobRefused", "1")
    assert json.loads(result)["reason"]["code"] == "actor-not-found"

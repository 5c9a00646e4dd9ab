from datetime import UTC, datetime
from typing import Any

import pytest

from actorline.errors import Refused
from actorline.jobs.attempt import next_attempt
from actorline.jobs.document.secret import masked
from actorline.jobs.failure_policy import Chance, next_chance
from actorline.jobs.groups import RunGroup
from actorline.jobs.states import Event, State
from actorline.orders.retry import plan_retry, way_back
from actorline.platform.runs import Run
from actorline.stages.watch.log_tail import shortened

ENDED = datetime(2026, 11, 24, 8, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 9, tzinfo=UTC)
BOTH = {"actor": "x", "on_failure": {"resurrect": 2, "new_runs": 1}}
ASKED = {"expected": 1, "at": 1000.0, "finished_at": "2026-11-24T08:00:00.000Z"}
LOST = {**ASKED, "is_lost": True}
UNCLEAR = {**ASKED, "sent_at": 1060.0}
ENOUGH = {"rule": "items", "rows": 120, "needed": 100, "message": "100 rows were enough"}
STOPPED = {"code": "cancelled", "message": "", "billed": True}


def a_run(status: str, *, resurrect_count: int | None = 0, finished_at: datetime = ENDED) -> Run:
    return Run.from_platform(
        {
            "id": "r1",
            "actId": "a1",
            "status": status,
            "startedAt": ENDED,
            "finishedAt": finished_at,
            "defaultDatasetId": "d1",
            "defaultKeyValueStoreId": "k1",
            "stats": {"resurrectCount": resurrect_count},
        }
    )


@pytest.mark.parametrize(
    ("job", "run", "chance"),
    [
        ({"order": {"actor": "x"}}, a_run("FAILED"), Chance.NONE),
        ({"order": BOTH}, a_run("SUCCEEDED"), Chance.NONE),
        ({"order": BOTH}, a_run("ABORTED"), Chance.NONE),
        ({"order": BOTH}, a_run("FAILED"), Chance.RESURRECT),
        ({"order": BOTH}, a_run("TIMED-OUT"), Chance.RESURRECT),
        ({"order": BOTH, "stop_wish": "cancel"}, a_run("FAILED"), Chance.NONE),
        ({"order": BOTH, "state": State.ABORTING}, a_run("FAILED"), Chance.NONE),  # stopped for its rows
        ({"order": BOTH, "reason": {"code": "deadline", "message": "", "billed": True}}, a_run("FAILED"), Chance.NONE),
        ({"order": {**BOTH, "actor": None, "run_id": "r1"}}, a_run("FAILED"), Chance.NONE),
        ({"order": {**BOTH, "actor": None, "run_id": "r1", "own": True}}, a_run("FAILED"), Chance.RESURRECT),
        (
            {"order": {**BOTH, "actor": None, "run_id": "r1", "own": True}, "resurrects": 2},
            a_run("FAILED"),
            Chance.NONE,
        ),
        ({"order": BOTH, "resurrects": 2}, a_run("FAILED"), Chance.NEW_RUN),
        ({"order": BOTH, "resurrects": 2, "new_runs": 1}, a_run("FAILED"), Chance.NONE),
        # a resurrection that was asked for and isn't to be seen yet
        ({"order": BOTH, "resurrects": 1, "resurrection": ASKED, "now": 1129}, a_run("FAILED"), Chance.WAIT),
        ({"order": BOTH, "resurrects": 1, "resurrection": ASKED, "now": 1131}, a_run("FAILED"), Chance.LOST),
        ({"order": BOTH, "resurrects": 2, "resurrection": ASKED, "now": 1131}, a_run("FAILED"), Chance.LOST),
        ({"order": BOTH, "resurrects": 1, "resurrection": LOST, "now": 1131}, a_run("FAILED"), Chance.RESURRECT),
        ({"order": BOTH, "resurrects": 2, "resurrection": LOST, "now": 1131}, a_run("FAILED"), Chance.NEW_RUN),
        ({"order": BOTH, "resurrects": 2, "resurrection": UNCLEAR, "now": 1179}, a_run("FAILED"), Chance.WAIT),
        # which is waited for although nobody wants the run any more
        (
            {"order": BOTH, "resurrection": ASKED, "stop_wish": "cancel", "now": 1129},
            a_run("FAILED"),
            Chance.WAIT,
        ),
        ({"order": BOTH, "resurrection": ASKED, "reason": STOPPED, "now": 1129}, a_run("FAILED"), Chance.WAIT),
        ({"order": BOTH, "resurrection": ASKED, "reason": STOPPED, "now": 1131}, a_run("FAILED"), Chance.NONE),
        # and one that has come, and failed again
        (
            {"order": BOTH, "resurrects": 1, "resurrection": ASKED, "now": 1001},
            a_run("FAILED", resurrect_count=1),
            Chance.RESURRECT,
        ),
        (
            {"order": BOTH, "resurrects": 1, "resurrection": ASKED, "now": 1001},
            a_run("FAILED", resurrect_count=None, finished_at=LATER),
            Chance.RESURRECT,
        ),
    ],
)
def test_a_failed_run_is_resurrected_then_replaced(make_job, job, run, chance):
    fields: dict[str, Any] = {"state": State.RUNNING, "run_id": "r1", **job}
    now = fields.pop("now", 1000.0)
    assert next_chance(make_job(**fields), run, seen_at=now, send_by_s=10, settle_s=120) is chance


def test_the_next_attempt_keeps_only_the_last_runs_cost(make_job):
    stored = {"run_id": "r1", "dataset_id": "d1", "items": 5, "cost_usd": 0.4, "spent_usd": 0.1, "attempt": 2}
    fields = next_attempt(make_job(**stored))
    assert (fields["attempt"], fields["spent_usd"]) == (3, pytest.approx(0.5))
    changed = make_job(**stored | fields)
    assert (changed.run, changed.intent) == (RunGroup(), None)
    assert (changed.collection.items, changed.collection.pages, changed.run.adopted) == (0, 0, False)


def reason(code: str) -> dict[str, Any]:
    return {"code": code, "message": "", "billed": True}


@pytest.mark.parametrize(
    ("job", "event"),
    [
        ({"run_status": "SUCCEEDED", "reason": reason("page-unreadable")}, Event.RECOLLECT),
        ({"run_status": "SUCCEEDED", "reason": reason("guard-broken")}, Event.RECOLLECT),
        ({"run_status": "ABORTED", "reason": reason("guard-broken")}, Event.RETRY),
        ({"run_status": "ABORTED", "reason": reason("page-unreadable"), "enough": ENOUGH}, Event.RECOLLECT),
        ({"run_status": "SUCCEEDED", "reason": reason("sink-failed")}, Event.RECOLLECT),
        ({"run_status": "SUCCEEDED", "reason": reason("cancelled")}, Event.RECOLLECT),
        ({"run_status": "SUCCEEDED", "reason": reason("internal")}, Event.RECOLLECT),
        ({"run_status": "SUCCEEDED", "reason": reason("dataset-vanished")}, Event.RECOLLECT),
        ({"run_status": "SUCCEEDED", "reason": reason("dataset-vanished"), "vanished": 1}, Event.RETRY),
        ({"run_status": "SUCCEEDED", "reason": reason("page-unreadable"), "vanished": 1}, Event.RECOLLECT),
        ({"run_status": "FAILED", "reason": reason("run-failed")}, Event.RETRY),
        ({"run_status": "ABORTED", "reason": reason("cancelled")}, Event.RETRY),
        ({"reason": reason("input-invalid")}, Event.RETRY),
        ({"order": {"dataset_id": "d1"}, "dataset_id": "d1", "reason": reason("page-unreadable")}, Event.RECOLLECT),
        ({"order": {"dataset_id": "d1"}, "dataset_id": "d1", "reason": reason("dataset-grew")}, Event.RETRY),
        ({"order": {"dataset_id": "d1"}, "reason": reason("dataset-not-found")}, Event.RETRY),
    ],
)
def test_a_retry_goes_back_no_further_than_it_must(make_job, job, event):
    assert way_back(make_job(state=State.FAILED, **job)) is event


def test_the_reason_has_as_many_last_log_lines_as_fit():
    lines = [f"{number} {'x' * 150}" for number in range(9)]
    kept = shortened(lines)
    assert kept is not None
    assert kept.endswith(lines[-1])
    assert kept.count(" | ") == 2
    assert len(kept) < 600
    assert shortened([]) is None
    assert len(shortened(["\u4ef7" * 90]) or "") == 90
    assert len(shortened(["\u4ef7" * 200]) or "") == 100


def test_a_token_in_a_log_line_is_masked():
    assert (
        masked("GET https://x/?token=apify_api_1 failed", ["", "apify_api_1"])
        == "GET https://x/?token=********** failed"
    )


@pytest.mark.parametrize(
    ("order", "fields", "pays"),
    [
        ({"actor": "a/b"}, {"run_status": "SUCCEEDED", "dataset_id": "d"}, False),
        ({"actor": "a/b"}, {"run_status": "FAILED", "cost_usd": 0.01}, True),
        ({"run_id": "r"}, {"run_status": None}, False),
        ({"dataset_id": "d"}, {"dataset_id": "d"}, False),
    ],
)
def test_plan_of_a_retry_says_whether_it_pays(make_job, order, fields, pays):
    plan = plan_retry(make_job(state=State.FAILED, order=order, **fields))
    assert plan.pays is pays
    assert ("billed" in plan.text) is pays


@pytest.mark.parametrize("state", [State.DELIVERED, State.RUNNING])
def test_job_that_cannot_be_retried_has_no_plan(make_job, state):
    with pytest.raises(Refused):
        plan_retry(make_job(state=state))

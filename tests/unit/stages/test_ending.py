from typing import Any

import pytest

from actorline.delivery.sink import SinkError
from actorline.errors import Code, Reason
from actorline.jobs.job import Job, StopWish
from actorline.jobs.states import TERMINAL, Event, State
from actorline.jobs.step import Ended, Stop
from actorline.ledger.change import Change
from actorline.stages.ending import SILENT_TRIES, SINK_TRIES, end_for_sink, end_job, judge_end, run_reason, stop_reason
from actorline.stages.silent_sink import SilentSink

CANCELLED = {"code": "cancelled", "message": "The job was cancelled.", "billed": True}
DEADLINE = {"code": "deadline", "message": "The deadline has passed.", "billed": True}
LOST_PAGE = Reason(code=Code.PAGE_UNREADABLE, message="1 of 2 pages could not be stored", billed=True)
GUARDED = {"actor": "x", "guard": {"required": ["price"]}}
REPORTED = {"actor": "x", "guard": {"required": ["price"], "on_violation": "report"}}
BROKEN = {"rule": "required", "path": "price", "figure": 0.97, "limit": 0.05, "rows": 1_000, "first": [3, 4],
          "message": "price is missing in 97 % of 1,000 rows; at most 5 % was allowed"}  # fmt: skip
STOPS = {**BROKEN, "stops": True}
ENOUGH = {"rule": "items", "rows": 120, "needed": 100, "message": "100 rows were enough"}
ALL_OR_NOTHING = {"actor": "x", "on_failure": {"deliver_partial": False}}


@pytest.mark.parametrize(
    ("job", "failure", "event", "code"),
    [
        ({"run_status": "SUCCEEDED"}, None, Event.DELIVER, None),
        ({"run_status": "SUCCEEDED", "items": 0}, None, Event.DELIVER, None),
        ({}, None, Event.DELIVER, None),  # dataset_id: there is no run
        ({"run_status": "SOMETHING-NEW"}, None, Event.DELIVER, None),
        ({"run_status": "FAILED", "items": 3}, None, Event.DELIVER_PARTIAL, Code.RUN_FAILED),
        ({"run_status": "FAILED", "records": 1}, None, Event.DELIVER_PARTIAL, Code.RUN_FAILED),
        ({"run_status": "FAILED"}, None, Event.FAIL, Code.RUN_FAILED),
        ({"run_status": "TIMED-OUT", "items": 3}, None, Event.DELIVER_PARTIAL, Code.RUN_TIMED_OUT),
        ({"run_status": "ABORTED", "items": 3}, None, Event.DELIVER_PARTIAL, Code.RUN_ABORTED),
        ({"run_status": "FAILED", "items": 3, "order": ALL_OR_NOTHING}, None, Event.FAIL, Code.RUN_FAILED),
        ({"run_status": "SUCCEEDED", "items": 3}, LOST_PAGE, Event.DELIVER_PARTIAL, Code.PAGE_UNREADABLE),
        ({"run_status": "SUCCEEDED"}, LOST_PAGE, Event.FAIL, Code.PAGE_UNREADABLE),
        ({"run_status": "FAILED", "items": 3}, LOST_PAGE, Event.DELIVER_PARTIAL, Code.RUN_FAILED),
        ({"run_status": "ABORTED", "items": 3, "reason": CANCELLED}, None, Event.CANCEL, Code.CANCELLED),
        ({"run_status": "SUCCEEDED", "items": 3, "reason": CANCELLED}, LOST_PAGE, Event.CANCEL, Code.CANCELLED),
        ({"run_status": "FAILED", "items": 3, "reason": DEADLINE}, None, Event.EXPIRE, Code.DEADLINE),
    ],
)
def test_a_stop_comes_before_a_failed_run_and_missing_rows(make_job, job, failure, event, code):
    decided, reason = judge_end(make_job(state=State.COLLECTING, **job), failure=failure)
    assert decided is event
    assert (reason and reason.code) is code


@pytest.mark.parametrize(
    ("job", "failure", "event", "code"),
    [
        ({"run_status": "ABORTED", "items": 3, "order": GUARDED, "broken": STOPS}, None,
         Event.DELIVER_PARTIAL, Code.GUARD_BROKEN),
        ({"run_status": "ABORTED", "order": GUARDED, "broken": STOPS}, None, Event.DELIVER_PARTIAL, Code.GUARD_BROKEN),
        ({"run_status": "FAILED", "items": 3, "order": GUARDED, "broken": STOPS}, LOST_PAGE,
         Event.DELIVER_PARTIAL, Code.GUARD_BROKEN),
        ({"run_status": "SUCCEEDED", "items": 3, "order": GUARDED, "broken": BROKEN}, None,
         Event.DELIVER_PARTIAL, Code.GUARD_BROKEN),
        ({"run_status": "FAILED", "items": 3, "order": GUARDED, "broken": BROKEN}, None,
         Event.DELIVER_PARTIAL, Code.RUN_FAILED),
        ({"run_status": "ABORTED", "items": 3, "order": GUARDED, "broken": STOPS, "reason": CANCELLED}, None,
         Event.CANCEL, Code.CANCELLED),
        ({"run_status": "SUCCEEDED", "items": 3, "order": REPORTED, "broken": BROKEN}, None, Event.DELIVER, None),
        ({"run_status": "ABORTED", "items": 120, "enough": ENOUGH}, None, Event.DELIVER, None),
        ({"run_status": "FAILED", "items": 120, "enough": ENOUGH}, None, Event.DELIVER, None),
        ({"run_status": "ABORTED", "items": 120, "enough": ENOUGH}, LOST_PAGE,
         Event.DELIVER_PARTIAL, Code.PAGE_UNREADABLE),
        ({"run_status": "ABORTED", "items": 120, "enough": ENOUGH, "reason": DEADLINE}, None,
         Event.EXPIRE, Code.DEADLINE),
    ],
)  # fmt: skip
def test_broken_contract_and_enough_rows_explain_an_aborted_run(make_job, job, failure, event, code):
    decided, reason = judge_end(make_job(state=State.COLLECTING, **job), failure=failure)
    assert decided is event
    assert (reason and reason.code) is code


@pytest.mark.parametrize(
    ("status", "broken", "begin"),
    [
        ("ABORTED", STOPS, "The run was aborted after 1,000 rows: "),
        ("SUCCEEDED", STOPS, "The rows broke their contract, which showed after 1,000 rows: "),
        ("SUCCEEDED", BROKEN, "The rows broke their contract, which showed after 1,000 rows: "),
    ],
)
def test_reason_names_rule_figure_and_bad_rows(make_job, status, broken, begin):
    _, reason = judge_end(make_job(run_id="r1", run_status=status, order=GUARDED, broken=broken), failure=None)
    assert reason
    assert reason.message == f"{begin}{BROKEN['message']}. The first bad rows: 3, 4."
    assert reason.billed


@pytest.mark.parametrize("words", ["The page has changed", "The page has changed."])
def test_a_failed_run_is_told_in_the_platforms_words(make_job, words):
    reason = run_reason(make_job(run_status="FAILED", run_message=words).run)
    assert reason
    assert (reason.message, reason.billed) == ("The run ended FAILED: The page has changed", True)
    logged = run_reason(make_job(run_status="FAILED", run_message=words, run_log="Bye").run)
    assert logged
    assert logged.message == "The run ended FAILED: The page has changed. Its log ends: Bye"
    assert run_reason(make_job(run_status="SUCCEEDED", run_message="Done").run) is None


def test_a_failed_run_that_was_not_resurrected_is_told(make_job):
    lost = {"expected": 1, "at": 1000.0, "finished_at": None, "is_lost": True}
    _, reason = judge_end(make_job(run_status="FAILED", run_log="Bye", resurrection=lost), failure=None)
    assert reason
    told = "The run ended FAILED. It was to be resurrected, but no resurrection came of that. Its log ends: Bye"
    assert reason.message == told


@pytest.mark.parametrize(
    ("wish", "run_id", "code", "message"),
    [
        (StopWish.CANCEL, None, Code.CANCELLED, "The job was cancelled. No run was started."),
        (StopWish.CANCEL, "r1", Code.CANCELLED, "The job was cancelled."),
        (StopWish.EXPIRE, None, Code.DEADLINE, "The deadline of 90 s has passed. No run was started."),
        (StopWish.EXPIRE, "r1", Code.DEADLINE, "The deadline of 90 s has passed."),
    ],
)
def test_a_stop_says_whether_a_run_was_started(make_job, wish, run_id, code, message):
    job = make_job(order={"actor": "x", "deadline_secs": 90}, run_id=run_id)
    expected = Reason(code=code, message=message, billed=run_id is not None)
    assert stop_reason(job, wish) == expected
    unsure = stop_reason(job, wish, may_have_run=True)
    assert (unsure.message, unsure.billed) == (message.removesuffix(" No run was started."), True)


class FakeLedger:
    def __init__(self, *, moves: bool) -> None:
        self.moves = moves
        self.asked: list[tuple[Job, Event, Change]] = []

    def move(self, job: Job, event: Event, change: Change) -> bool:
        self.asked.append((job, event, change))
        return self.moves


@pytest.mark.parametrize("event", [Event.DELIVER, Event.DELIVER_PARTIAL, Event.FAIL, Event.CANCEL, Event.EXPIRE])
def test_one_change_ends_a_job_with_or_without_more_fields(make_job, event):
    for fields in (None, {"manifest": "file:///m"}):
        ledger: Any = FakeLedger(moves=True)
        job = make_job(epoch=7)
        assert end_job(ledger, job, event, None, fields=fields) == Ended()
        ((moved, by, change),) = ledger.asked
        assert (moved, by) == (job, event)
        assert change.data["state"] in TERMINAL
        assert isinstance(change.due_in_s, float)  # upkeep looks after the callers
        assert change.fields == {"ended_at": "@now", "intent": None, "failures": 0, "reason": None, **(fields or {})}


def test_who_loses_the_end_does_not_answer_the_callers(make_job):
    ledger: Any = FakeLedger(moves=False)
    assert end_job(ledger, make_job(), Event.FAIL, LOST_PAGE) == Stop()


@pytest.mark.parametrize(("error", "tries"), [(SinkError("away"), SINK_TRIES), (SilentSink(), SILENT_TRIES)])
def test_sink_that_stays_away_ends_the_job_after_some_tries(make_job, error, tries):
    ledger: Any = FakeLedger(moves=True)
    with pytest.raises(type(error)):
        end_for_sink(ledger, make_job(state=State.COLLECTING, failures=tries - 1), error)
    assert end_for_sink(ledger, make_job(state=State.COLLECTING, failures=tries), error) == Ended()
    ((_, event, change),) = ledger.asked
    assert (event, change.fields["reason"].code) == (Event.FAIL, Code.SINK_FAILED)

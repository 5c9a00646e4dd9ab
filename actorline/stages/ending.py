"""How a job ends: the decision as a pure function, and the one change that ends it."""

from collections.abc import Mapping
from typing import Final

from actorline.delivery.sink import SinkError, SinkTaken
from actorline.errors import Code, Reason
from actorline.jobs.fields import NOW, JobFields
from actorline.jobs.groups import RunGroup
from actorline.jobs.job import Job, StopWish
from actorline.jobs.states import Event, target
from actorline.jobs.step import Ended, LastStep, Stop
from actorline.jobs.timeline_event import LOG_BEGINS, TimelineEvent
from actorline.json_size import fitting
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.platform.statuses import RunStatus
from actorline.stages.silent_sink import SilentSink

ANSWER_CARE_SECS: Final = 5.0
"""How soon upkeep checks whether each caller of an ended job has its answer."""

FIGURES_CARE_SECS: Final = 10.5
"""The same for a job with a run, whose final figures can be read by then: one check for both."""

SAID_BYTES: Final = 500  # of the run's status message in a reason: a result has 4 kB
SINK_TRIES: Final = 6  # with the stages' back-off about two minutes: an outage is waited for, a lost folder is reported
SILENT_TRIES: Final = 16  # some twelve minutes: one call that hangs keeps others from the sink for two

RUN_REASONS: Final[Mapping[str, Code]] = {
    RunStatus.FAILED: Code.RUN_FAILED,
    RunStatus.TIMED_OUT: Code.RUN_TIMED_OUT,
    RunStatus.ABORTED: Code.RUN_ABORTED,
}
STOP_EVENTS: Final[Mapping[StopWish, Event]] = {
    StopWish.CANCEL: Event.CANCEL,
    StopWish.EXPIRE: Event.EXPIRE,
    StopWish.BUDGET: Event.CANCEL,
}
"""How a job ends that nobody wants any more; the other wishes only abort its run, whose rows decide."""
STOP_CODES: Final[Mapping[Code, Event]] = {
    Code.CANCELLED: Event.CANCEL,
    Code.DEADLINE: Event.EXPIRE,
    Code.BUDGET: Event.CANCEL,
}


def stop_reason(job: Job, stop_wish: StopWish, *, may_have_run: bool = False) -> Reason:
    """Return why a job with a stop wish ends. `may_have_run`: nobody knows whether its start made a run."""
    billed = may_have_run or job.run.id is not None
    if stop_wish is StopWish.CANCEL:
        message = "The job was cancelled." + ("" if billed else " No run was started.")
        return Reason(code=Code.CANCELLED, message=message, billed=billed)
    if stop_wish is StopWish.BUDGET:
        message = "A hard budget of the job is spent, so the run was aborted: `actorline budgets`."
        return Reason(code=Code.BUDGET, message=message, billed=billed)
    message = f"The deadline of {job.document.deadline_secs:g} s has passed." + (
        "" if billed else " No run was started."
    )
    return Reason(code=Code.DEADLINE, message=message, billed=billed)


def run_reason(run: RunGroup, *, is_unrevived: bool = False) -> Reason | None:
    """Return why the run didn't succeed, in the platform's words; None if it did, or if there was none.

    `is_unrevived`: it was to be resurrected, and nothing came of that.
    """
    code = RUN_REASONS.get(run.status or "")
    if code is None:
        return None
    said = f": {fitting(run.message, SAID_BYTES).rstrip().removesuffix('.')}" if run.message else ""
    unrevived = ". It was to be resurrected, but no resurrection came of that" if is_unrevived else ""
    log = f"{LOG_BEGINS}{run.log}" if run.log else ""
    return Reason(code=code, message=f"The run ended {run.status}{said}{unrevived}{log}", billed=True)


def judge_end(job: Job, *, failure: Reason | None) -> tuple[Event, Reason | None]:
    """Return how a job ends whose rows are collected as far as possible; `failure`: why they aren't complete.

    A stop comes before a failed run, and that before missing rows: it explains them. A run that was stopped because
    there are enough rows isn't a failed one, however it ended.
    """
    reason = job.reason or _why_run_ended(job) or failure or guard_reason(job)
    if reason is None:
        return Event.DELIVER, None
    if reason.code in STOP_CODES:
        return STOP_CODES[reason.code], reason
    has_rows = job.collection.items or job.collection.records or reason.code is Code.GUARD_BROKEN
    if job.document.on_failure.deliver_partial and has_rows:
        return Event.DELIVER_PARTIAL, reason
    return Event.FAIL, reason


def _why_run_ended(job: Job) -> Reason | None:
    if job.broken and job.broken.stops:
        return guard_reason(job)
    asked = job.chances.resurrection
    return None if job.enough else run_reason(job.run, is_unrevived=asked is not None and asked.is_lost)


def guard_reason(job: Job) -> Reason | None:
    """Return which rule of its guard ends the job; None: none is broken, or that is only reported."""
    guard, broken = job.document.guard, job.broken
    if broken is None or guard is None or guard.on_violation == "report":
        return None
    is_aborted = broken.stops and job.run.status == RunStatus.ABORTED
    begin = "The run was aborted" if is_aborted else "The rows broke their contract, which showed"
    rows = f" The first bad rows: {', '.join(map(str, broken.first))}." if broken.first else ""
    message = f"{begin} after {broken.rows:,} rows: {broken.message}.{rows}"
    return Reason(code=Code.GUARD_BROKEN, message=message, billed=job.run.id is not None)


def end_for_sink(ledger: Ledger, job: Job, error: SinkError, failure: Reason | None = None) -> LastStep:
    """End a job whose rows can't be delivered; while that may pass, `error` is raised again and the stage repeated.

    `failure`: why the rows weren't complete before that; if that was the sink as well, it has been tried often enough.
    """
    had_time = isinstance(error, SinkTaken) or (failure and failure.code is Code.SINK_FAILED)
    tries = SILENT_TRIES if isinstance(error, SilentSink) else SINK_TRIES
    if not (had_time or job.reason) and job.failures < tries:
        raise error
    message = f"{error} What is stored stays there without a manifest."
    reason = job.reason or Reason(code=Code.SINK_FAILED, message=message, billed=job.run.id is not None)
    return end_job(ledger, job, STOP_CODES.get(reason.code, Event.FAIL), reason)


def end_job(
    ledger: Ledger,
    job: Job,
    event: Event,
    reason: Reason | None,
    *,
    fields: JobFields | None = None,
    data: Mapping[str, object] | None = None,
) -> LastStep:
    """End the job. Its callers are answered by the next stage, and by upkeep until each of them is.

    `fields`: see `Change`; `data`: what else the timeline says about the end.
    """
    to = target(event)
    entry = {"state": to, **({"code": reason.code, "message": reason.message} if reason else {}), **(data or {})}
    moved = ledger.move(
        job,
        event,
        Change(
            due_in_s=ANSWER_CARE_SECS if job.run.id is None else FIGURES_CARE_SECS,
            event=TimelineEvent.ENDED,
            data=entry,
            fields={"ended_at": NOW, "intent": None, "failures": 0, "reason": reason, **(fields or {})},
        ),
    )
    return Ended() if moved else Stop()

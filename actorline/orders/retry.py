"""Retry an ended job from the cheapest stage that can still deliver the missing rows."""

from dataclasses import dataclass, replace
from typing import Final, cast

from actorline.errors import Code, Refused
from actorline.identifiers import JobKey
from actorline.jobs.allowance import Allowance, allowance_of
from actorline.jobs.attempt import next_attempt
from actorline.jobs.fields import NOW, JobFields
from actorline.jobs.job import Job
from actorline.jobs.job_key import shown_key
from actorline.jobs.sender import Sender
from actorline.jobs.states import Event, State
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.orders.request_field import request_field
from actorline.platform.statuses import RunStatus

GONE: Final = frozenset({Code.DATASET_VANISHED, Code.RUN_VANISHED})
"""Rows that weren't found: those of a good run are searched for again before another run is paid for."""


def retry_job(
    ledger: Ledger,
    key: JobKey,
    *,
    sender: Sender,
    request: str | None = None,
    members_max: int | None = None,
) -> None:
    """Retry an ended job; it is due at once.

    `request`: see `request_field`; the second time it changes nothing, whatever has happened to the job since.
    `members_max`: of the batch that retries its member.
    Raises Refused, with nothing changed, for a job that is unknown, still running, or delivered, and NoPlaceInBatch.
    """
    asked = request_field("retry", request)
    is_repeated, job = ledger.has_field(key, asked), ledger.load(key)
    if job is None:
        raise Refused(Code.UNKNOWN_KEY, f"No job has the key {shown_key(key)!r}. Nothing was started.")
    if is_repeated:
        for run_id in job.stray_costs or {}:  # who carried it out may have died before it came so far
            ledger.runs.add_stray(run_id, key)
        return
    _check_ended(job)
    event = way_back(job)
    allowance = _check_sender(job, event, sender)
    raises_attempt = event is Event.RETRY and (
        (job.document.starts_run and bool(ledger.runs.of(key, job.attempt))) or _code_of(job) is Code.DATASET_GREW
    )
    if allowance:
        _take(ledger, allowance)
    if job.document.deadline_secs is not None:
        ledger.agenda.plan_deadline(key, ledger.now() + job.document.deadline_secs)
    change = _change_of(job, event, sender, raises_attempt=raises_attempt)
    moved = ledger.move(job, event, replace(change, once=asked, members_max=members_max))
    if moved and raises_attempt and job.run.id and job.awaits_figures:
        ledger.runs.add_stray(job.run.id, key)  # upkeep books its final cost
    if not moved and allowance:
        ledger.spend(allowance.given_back())
    if not moved and not ledger.has_field(key, asked):
        raise Refused(
            Code.CONFLICT, f"The job {key} was just retried by another request. Nothing was changed.", key=key
        )


def _change_of(job: Job, event: Event, sender: Sender, *, raises_attempt: bool) -> Change:
    return Change(
        next_epoch=True,  # a doubled execution of the old end must not end the retried job
        due_in_s=0,
        on_disk=True,
        event=TimelineEvent.RETRIED,
        data={"from": job.state, "attempt": job.attempt + raises_attempt, **sender.facts()},
        fields={
            **_afresh(job),
            "collecting_at": NOW if event is Event.RECOLLECT else None,
            "vanished": event is Event.RECOLLECT and _code_of(job) in GONE,
            **(_further_attempt(job) if raises_attempt else {}),
        },
    )


def _further_attempt(job: Job) -> JobFields:
    """Return the fields of another attempt. What the last run cost is kept by itself while that may not be final."""
    fields = next_attempt(job)
    if job.run.id and job.awaits_figures:
        fields["spent_usd"] = job.spent_usd
        fields["stray_costs"] = {**(job.stray_costs or {}), job.run.id: float(job.run.cost_usd or 0)}
    return fields


@dataclass(frozen=True)
class RetryPlan:
    """What a retry would do, in words, and whether it starts another paid run; `brief`: where "a retry is free" would
    promise too much.
    """

    pays: bool
    text: str
    brief: str = ""


def plan_retry(job: Job) -> RetryPlan:
    """Return what `retry_job` would do. Raises Refused for a job that it would refuse."""
    _check_ended(job)
    if way_back(job) is Event.RECOLLECT and _code_of(job) is Code.GUARD_BROKEN:
        text = "its rows, which are all here, are judged again, at no further cost; new rows need a new order."
        return RetryPlan(pays=False, text=text, brief="a retry judges the same rows again")
    if way_back(job) is Event.RECOLLECT and _code_of(job) is Code.DOCUMENT_INVALID:
        text = "the rows that the platform refused are asked for in the same way; another way needs a new order."
        return RetryPlan(pays=False, text=text, brief="order its dataset with another document: that costs no run")
    if way_back(job) is Event.RECOLLECT:
        return RetryPlan(pays=False, text="the missing rows are fetched again, at no further cost.")
    if not job.document.starts_run:
        return RetryPlan(pays=False, text="it is retried from the start; that costs no run.")
    cost = "" if job.total_cost_usd is None else f" So far it has cost ${job.total_cost_usd:.4f}."
    return RetryPlan(pays=True, text=f"another run is started and billed.{cost}")


def _check_sender(job: Job, event: Event, sender: Sender) -> Allowance | None:
    """Return what the retry takes of its API key's day. Raises Refused if the sender must not order such a run."""
    if event is not Event.RETRY:
        return None
    sender.rights.check(job.document)
    return allowance_of(sender, job.document)


def _take(ledger: Ledger, allowance: Allowance) -> None:
    is_taken, spent = ledger.spend(allowance)
    if not is_taken:
        raise allowance.refused(spent)


def _check_ended(job: Job) -> None:
    """Refuse to retry a job that is still running, or that has delivered everything."""
    if not job.is_terminal:
        message = f"The job {job.key} is still running ({job.state}): there is nothing to retry."
        raise Refused(Code.CONFLICT, message, key=job.key)
    if job.state is State.DELIVERED:
        rows = f"dataset_id {job.run.dataset_id} fetches its rows again, and " if job.run.dataset_id else ""
        raise Refused(
            Code.CONFLICT,
            f"The job {job.key} is delivered. Nothing was started. "
            f"Under a new key {rows}the same document is another paid run.",
            key=job.key,
        )


def way_back(job: Job) -> Event:
    """Return the event that retries the job: fetch rows of a good run, or of a dataset; otherwise start a run.

    Vanished rows of a good run are searched for again: that the platform didn't find them for some time doesn't prove
    that they are gone. If an earlier retry has done that, only another run can deliver them.
    """
    code = _code_of(job)
    has_rows = (
        job.run.status == RunStatus.SUCCEEDED
        or job.enough is not None  # stopped because the rows are there
        or (job.document.dataset_id is not None and job.run.dataset_id is not None)
    )
    is_lost = code is Code.DATASET_GREW or (code in GONE and job.vanished)
    return Event.RECOLLECT if has_rows and not is_lost else Event.RETRY


def _code_of(job: Job) -> Code | None:
    return job.reason.code if job.reason else None


_COUNTERS: Final = (
    "failures", "unclear_starts", "input_failures", "account_failures", "failed_alike", "resurrects", "resurrects_lost",
    "new_runs", "figures_settled", "task_told", "url_told", "notice_failures",
)  # fmt: skip
_OF_AN_END: Final = (
    "stop_wish", "reason", "run_log", "manifest", "manifest_sha256", "ended_at", "delivered_at", "resurrection",
    "notice_at", "broken", "delta_base", "changes",
)  # fmt: skip


def _afresh(job: Job) -> JobFields:
    """Return what no retry inherits: the end, the wish that led to it, and what the failure policy has used up."""
    nothing = cast("JobFields", dict.fromkeys(_COUNTERS, 0) | dict.fromkeys(_OF_AN_END))
    return nothing | {
        "retries": job.retries + 1,
        "retried_at": NOW,
        "scanned_before": job.collection.scanned,
        "is_planned": True,
    }

"""Cancelling and retrying many jobs: what it does and costs is known before, and nothing else is done then."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from actorline.errors import Refused
from actorline.gateway.pages.jobs.job_changes import Action, change_job, may_cancel, may_retry
from actorline.gateway.pages.jobs.job_filter import JobFilter
from actorline.gateway.pages.jobs.shown_jobs import read_jobs
from actorline.gateway.pages.visit import Visit
from actorline.identifiers import JobKey
from actorline.jobs.cost import cost_usd
from actorline.jobs.job import Job
from actorline.orders.retry import plan_retry
from actorline.platform.statuses import TERMINAL_STATUSES

MOST_JOBS: Final = 500
JOBS_A_LOOK: Final = 100


@dataclass(frozen=True)
class LeftOut:
    """A job that isn't changed, and why."""

    key: str
    why: str


@dataclass(frozen=True)
class BulkPlan:
    """`free`: jobs to change at no cost; `paid`: jobs to retry with another paid run; `spent_usd`: so far, by all."""

    free: Sequence[Job]
    paid: Sequence[Job]
    left_out: Sequence[LeftOut]

    @property
    def spent_usd(self) -> float:
        return cost_usd([*self.free, *self.paid])

    @property
    def running(self) -> int:
        """Return how many runs may be billing."""
        return sum(job.run.id is not None and job.run.status not in TERMINAL_STATUSES for job in self.free)

    @property
    def most_usd(self) -> float | None:
        """Return the most that the paid runs may cost together; None if one has no limit."""
        limits = [job.document.options.max_total_charge_usd for job in self.paid]
        return None if None in limits else sum(limit or 0 for limit in limits)


def plan_bulk(visit: Visit, action: Action, keys: Sequence[JobKey]) -> BulkPlan:
    """Return what the action would do to the jobs."""
    free: list[Job] = []
    paid: list[Job] = []
    left_out: list[LeftOut] = []
    for key in keys:
        try:
            job = may_cancel(visit, key) if action == "cancel" else may_retry(visit, key)
            if action == "cancel" and job.is_terminal:
                left_out.append(LeftOut(key, "it has already ended"))
                continue
            pays = action == "retry" and plan_retry(job).pays
        except Refused as refused:
            left_out.append(LeftOut(key, refused.reason.message))
            continue
        (paid if pays else free).append(job)
    return BulkPlan(free, paid, left_out)


def carry_out(
    visit: Visit, action: Action, free: Sequence[JobKey], paid: Sequence[JobKey], request: str
) -> tuple[list[JobKey], list[LeftOut]]:
    """Change the jobs. Return those that were changed, and those that weren't: also where a retry said to be free
    would be paid for by now.
    """
    changed, left_out = [], []
    for key in (*free, *paid):
        try:
            job = may_cancel(visit, key) if action == "cancel" else may_retry(visit, key)
            if action == "retry" and key not in paid and job.is_terminal and plan_retry(job).pays:
                left_out.append(LeftOut(key, "it would be another paid run by now"))
                continue
            change_job(visit, key, action, request=request)
        except Refused as refused:
            left_out.append(LeftOut(key, refused.reason.message))
            continue
        changed.append(key)
    return changed, left_out


def keys_that_match(visit: Visit, wanted: JobFilter) -> list[JobKey]:
    """Return the keys of the newest jobs that fit a filter, at most MOST_JOBS + 1."""
    return list(islice(_matching(visit, wanted), MOST_JOBS + 1))


def _matching(visit: Visit, wanted: JobFilter) -> Iterator[JobKey]:
    cursor: str | None = None
    while True:
        found = read_jobs(visit, wanted, cursor, limit=JOBS_A_LOOK)
        yield from (JobKey(job.key) for job in found.jobs)
        if found.next is None:
            return
        cursor = found.next

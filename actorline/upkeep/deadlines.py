"""Deadlines: a stop wish that upkeep sets, whatever the job is doing and however rarely it is polled."""

from typing import Final

from actorline.identifiers import JobKey
from actorline.jobs.job import Job, StopWish
from actorline.jobs.states import LIVE, State
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.stored_job import UnreadableJob

DEADLINE_AGAIN_SECS: Final = 60.0  # of a job that couldn't be expired


def expire_late_jobs(ledger: Ledger) -> list[JobKey]:
    """Record that jobs past their deadline are no longer wanted, and return their keys; they are due now."""
    late = ledger.agenda.take("deadlines", again_s=DEADLINE_AGAIN_SECS)
    return [key for key in map(JobKey, late) if _expire(ledger, key)]


def _expire(ledger: Ledger, key: JobKey) -> bool:
    try:
        job = ledger.load(key)
    except UnreadableJob:  # left to a worker that can read it
        return False
    deadline_at = _deadline_of(job)
    if deadline_at is None:
        ledger.agenda.drop("deadlines", key)
    elif deadline_at > ledger.now():  # retried meanwhile
        ledger.agenda.plan_deadline(key, deadline_at)
    else:
        # not a job that is already being stopped for another reason
        expired = Change(
            due_in_s=0,
            guards={"stop_wish": None, "reason": None},
            fields={"stop_wish": StopWish.EXPIRE, "is_planned": True},
        )
        won = ledger.change(key, expired, states=LIVE - {State.ABORTING}, epoch=None)
        ledger.agenda.drop("deadlines", key)
        return won is not None
    return False


def _deadline_of(job: Job | None) -> float | None:
    return None if job is None or job.is_terminal else job.deadline_at

"""Removes jobs from the ledger that ended longer ago than the retention; their deliveries stay."""

from typing import Final

from actorline.jobs.job import Job
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.ledger import Ledger

DAY_SECS = 86_400
BATCHES: Final = "batches"
SETS_BY_AGE: Final = (BATCHES, *(f"state:{state}" for state in TERMINAL))
"""The ledger's sets by age in which it looks."""


def forget_old_jobs(ledger: Ledger, *, retention_days: float, limit: int) -> None:
    """Forget up to `limit` jobs of each end."""
    before = ledger.now() - retention_days * DAY_SECS
    _forget_batches(ledger, before, limit)
    for state in TERMINAL:
        _forget(ledger, state, before, limit)


def _forget_batches(ledger: Ledger, before: float, limit: int) -> None:
    """Forget batches first: their members are kept as long as they are."""
    offset = ledger.retention.place(BATCHES)
    keys = ledger.batches.queued_before(before, limit, offset=offset)
    ended = ledger.batches.ended_before(keys, before)
    for key in ended:
        ledger.batches.forget(key)
    _keep_place(ledger, BATCHES, offset, passed_over=len(keys) - len(ended), is_end=len(keys) < limit)


def _forget(ledger: Ledger, state: State, before: float, limit: int) -> None:
    offset = ledger.retention.place(state)
    keys = ledger.retention.queued_before(state, before, limit, offset=offset)
    jobs = ledger.load_many(ledger.retention.ended_before(keys, before))
    forgotten = sum(ledger.retention.forget(job) for job in jobs if job and not _has_batch(ledger, job))
    _keep_place(ledger, state, offset, passed_over=len(keys) - forgotten, is_end=len(keys) < limit)


def _keep_place(ledger: Ledger, kind: str, offset: int, *, passed_over: int, is_end: bool) -> None:
    """Skip what was ordered long ago but lives, or ended recently, so that later ones are reached."""
    following = 0 if is_end else offset + passed_over
    if following != offset:
        ledger.retention.keep_place(kind, following)


def _has_batch(ledger: Ledger, job: Job) -> bool:
    return job.batch is not None and ledger.batches.exists(job.batch)

"""Removes jobs from the ledger that ended longer ago than the retention; their deliveries stay."""

from typing import Final

from actorline.jobs.job import Job
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.ledger import Ledger

DAY_SECS = 86_400
SETS_BY_AGE: Final = ("batches", *(f"state:{state}" for state in TERMINAL))
"""The ledger's sets by age in which it looks."""


def forget_old_jobs(ledger: Ledger, *, retention_days: float, limit: int) -> None:
    """Forget up to `limit` jobs of each end."""
    before = ledger.now() - retention_days * DAY_SECS
    _forget_batches(ledger, before, limit)
    for state in TERMINAL:
        _forget(ledger, state, before, limit)


def _forget_batches(ledger: Ledger, before: float, limit: int) -> None:
    """Forget batches first: their members are kept as long as they are."""
    for key in ledger.batches.ended_before(ledger.batches.queued_before(before, limit), before):
        ledger.batches.forget(key)


def _forget(ledger: Ledger, state: State, before: float, limit: int) -> None:
    offset = ledger.retention.place(state)
    keys = ledger.retention.queued_before(state, before, limit, offset=offset)
    jobs = ledger.load_many(ledger.retention.ended_before(keys, before))
    forgotten = sum(ledger.retention.forget(job) for job in jobs if job and not _has_batch(ledger, job))
    # jobs that were ordered long ago but ended recently are skipped, so that later ones are reached
    following = offset + len(keys) - forgotten if len(keys) == limit else 0
    if following != offset:
        ledger.retention.keep_place(state, following)


def _has_batch(ledger: Ledger, job: Job) -> bool:
    return job.batch is not None and ledger.batches.exists(job.batch)

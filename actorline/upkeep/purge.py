"""Purging the ledger by hand: what upkeep does when the retention is over, sooner and for some states only."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from actorline.batches.batch import Batch, load_batch_if_possible
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.ledger import Ledger

BLOCK_JOBS: Final = 500
UNLIMITED: Final = -1
SETTLED_SECS: Final = 3600.0  # by then callers have their results and budgets know the cost: 15 minutes


@dataclass(frozen=True)
class Purge:
    """What ended before a time, in some states; members of a batch only with their batch. The rows stay."""

    ledger: Ledger
    before: float
    states: Collection[State]

    def batches(self) -> Iterator[Batch]:
        """Yield the batches that are purged."""
        for key in self.ledger.batches.queued_before(self.before, UNLIMITED):
            batch = load_batch_if_possible(self.ledger, key)
            if batch and batch.state in self.states and batch.ended_at and batch.ended_at < self.before:
                yield batch

    def jobs(self, batches: Collection[JobKey]) -> Iterator[Job]:
        """Yield the jobs that are purged; `batches`: those that are purged, too."""
        for state in TERMINAL & set(self.states):
            keys = self.ledger.retention.queued_before(state, self.before, UNLIMITED)
            for first in range(0, len(keys), BLOCK_JOBS):
                for job in self.ledger.load_many(keys[first : first + BLOCK_JOBS]):
                    if job and (job.ended_at or 0) < self.before and self._is_free(job, batches):
                        yield job

    def _is_free(self, job: Job, batches: Collection[JobKey]) -> bool:
        return job.batch is None or job.batch in batches or not self.ledger.batches.exists(job.batch)

    def carry_out(self) -> tuple[int, int]:
        """Remove them from the ledger; return how many jobs and how many batches. Safe to repeat."""
        batches = [batch.key for batch in self.batches()]
        for key in batches:
            self.ledger.batches.forget(key)
        return sum(self.ledger.retention.forget(job) for job in self.jobs(frozenset(batches))), len(batches)

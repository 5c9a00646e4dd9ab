"""Who may try a start of an account that has no room: its jobs stand in line, by priority, then by age.

Each try that is refused costs a request, and without a line whoever asks first after a run's end is let in. So only the
first few of a line try; the others wait until they are called. A line is empty, and costs one look, as long as the
platform lets everybody in.
"""

from dataclasses import dataclass
from typing import Final

from actorline.jobs.job import Job
from actorline.jobs.ledger import Ledger
from actorline.jobs.states import State

TRYING: Final = 3  # more than one: a job that wants more memory than there is must not hold up all others
TURN_SECS: Final = 300.0  # who waits for a turn looks after so long whether the call was lost
_PRIORITY: Final = 1e11  # more seconds than any date has


@dataclass(frozen=True)
class Admission:
    """The ledger's `line:{account}`: key -> its place."""

    ledger: Ledger
    account: str

    def may_try(self, job: Job) -> bool:
        first = self._first()
        return len(first) < TRYING or job.key in first or _place(job) < max(first.values())

    def enter(self, job: Job) -> None:
        """Stand in line, or stay there. Safe to repeat."""
        self.ledger.redis.zadd(self._line, {job.key: _place(job)})

    def wait_turn(self, job: Job) -> None:
        """Stand in line and be called; the line may have gone on meanwhile."""
        self.enter(job)
        if self.may_try(job):
            self.ledger.postpone(job.key, 0)

    def leave(self, job: Job) -> None:
        """The job has got its run, or wants none any more: there may be room for the next one."""
        self.ledger.redis.zrem(self._line, job.key)
        self.call()

    def call(self) -> None:
        """There may be room: let the first one try now."""
        for key in list(self._first())[:1]:
            self.ledger.postpone(key, 0)

    def call_behind(self, job: Job) -> None:
        """There isn't room enough for this job: the one behind it may want less."""
        first = list(self._first())
        if job.key in first[:-1]:
            self.ledger.postpone(first[first.index(job.key) + 1], 0)

    @property
    def _line(self) -> str:
        return self.ledger.name("line", self.account)

    def _first(self) -> dict[str, float]:
        """Key -> place of those who may try. Who doesn't wait for room any more is taken out: nobody else may have."""
        while True:
            first = dict(self.ledger.redis.zrange(self._line, 0, TRYING - 1, withscores=True))
            jobs = self.ledger.load_many(list(first)) if first else []
            gone = [key for key, job in zip(first, jobs, strict=True) if job is None or not _stands(job)]
            if not gone:
                return first
            self.ledger.redis.zrem(self._line, *gone)


def _stands(job: Job) -> bool:
    """Whether it still waits for room, or tries just now; not one whose start is unclear."""
    return job.state is State.STARTING or (job.state is State.WAITING and job.intent is None)


def _place(job: Job) -> float:
    return job.order.priority * _PRIORITY + job.queued_at

"""Places for calls to servers that orders name, so that slow ones hold up only their own jobs.

A call holds a slot of a fetch worker for as long as the server likes, within its deadline. So only a share of the slots
goes to such calls, less to one account, and less still to one host; a job that finds no place waits in line without a
slot, and is called.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

from actorline.identifiers import AccountName, ExecutionToken, JobKey
from actorline.jobs.job import Job
from actorline.jobs.states import TERMINAL
from actorline.keep_alive import renewed
from actorline.ledger.batches import BatchChange
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.settings import Settings

PLACE_LEASE_SECS: Final = 15.0  # of an execution that died
PLACE_LEASE_RENEW_SECS: Final = 5.0
CALLED_SECS: Final = 60.0  # within which a job that is called begins, behind the pages in its queue
PLACE_WAIT_SECS: Final = 600.0  # a waiting job asks again after this time, in case its call was lost


class NoPlaceFree(Exception):
    """All places are taken: the job waits in line, and is called."""


class PlaceTaken(Exception):
    """Another execution is making the same call."""


@dataclass(frozen=True)
class Place:
    """A place that one execution holds, while it calls a server."""

    renew: Callable[[], None]

    def kept(self, cut: Callable[[], None]) -> AbstractContextManager[Callable[[], None]]:
        """Keep the place during the block. `cut` ends the call when the place is lost, or this process stops."""
        return renewed(self.renew, PLACE_LEASE_RENEW_SECS, cut=cut)


@dataclass(frozen=True)
class OutsidePlaces:
    """The ledger's `outside_places`, and the lines of those that wait for one.

    `wake`: has a worker care for these jobs now.
    """

    ledger: Ledger
    in_all: int
    wake: Callable[[Sequence[JobKey]], None]

    @classmethod
    def of(cls, ledger: Ledger, settings: Settings, wake: Callable[[Sequence[JobKey]], None]) -> "OutsidePlaces":
        """Allow a quarter of a fetch worker's slots: the other three are left to pages, whatever servers do."""
        return cls(ledger, max(settings.fetch_concurrency // 4, 1), wake)

    def held(self, job: Job, url: str, execution: ExecutionToken) -> AbstractContextManager[Place]:
        """Hold a place for one call of a job, and hand it on. Raises NoPlaceFree and PlaceTaken."""
        return self.held_by(job.key, job.document.account, url, execution)

    @contextmanager
    def held_by(self, key: JobKey, account: AccountName, url: str, execution: ExecutionToken) -> Iterator[Place]:
        """Hold a place for one call of a job or batch: see `held`."""
        names = (key, execution, account, urlsplit(url).hostname or "")

        def renew() -> None:
            self._take(names)
            self.ledger.agenda.postpone(key, PLACE_LEASE_SECS)

        self._take(names)
        try:
            yield Place(renew)
        finally:
            self._run("leave", 0, key, execution)
            self.call()

    def call(self) -> None:
        """Give free places to jobs that wait; who needs none any more is passed over."""
        while called := cast("list[JobKey]", self._run("call", CALLED_SECS)):
            jobs = self.ledger.load_many(called)
            waiting = [key for key, job in zip(called, jobs, strict=True) if self._let_go_on(key, job)]
            for key in called:
                if key not in waiting:
                    self._run("leave", 0, key, "")
            if waiting:
                self.wake(waiting)

    def _let_go_on(self, key: JobKey, job: Job | None) -> bool:
        """Let a job or batch go on at once if it still waits for a place, and return whether it does."""
        if job is None:  # a batch calls a server for its notice only
            change = BatchChange(fields={"notice_at": None}, guards={"url_told": None})
            return self.ledger.batches.change(key, change, states=TERMINAL)
        if not _waits(job):
            return False
        self.ledger.change(key, Change(fields={"notice_at": None}), states=TERMINAL, epoch=None)
        return True

    def _take(self, names: Sequence[str]) -> None:
        outcome = self._run("take", PLACE_LEASE_SECS, *names)
        if outcome == "wait":
            raise NoPlaceFree
        if outcome == "held":
            raise PlaceTaken

    def _run(self, operation: str, seconds: float, *names: str) -> object:
        per_account, per_host = max(self.in_all - 1, 1), max(self.in_all // 2, 1)
        name = self.ledger.name
        keys = [name("outside_places"), name("outside_lanes"), name("outside_line", ""), name("due")]
        return self.ledger.run_script(
            "outside_places", keys, [operation, self.in_all, per_account, per_host, seconds, *names]
        )


def _waits(job: Job) -> bool:
    if job.is_terminal:
        return bool(job.document.notify.url) and not job.notice.url_told
    return job.intent is None and job.run.id is None and not job.stop_wish

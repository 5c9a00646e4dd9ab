"""The lease of a start: one execution sends it, and keeps the lease for as long as it lives and waits for the reply."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import redis
from redis.exceptions import LockError
from redis.lock import Lock

from actorline.jobs.job import Job
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger

START_LEASE_SECS: Final = 15.0  # longer than the span in which a start is sent; renewed while its reply is awaited
START_LEASE_RENEW_SECS: Final = 5.0
SYNC_LOOK_SECS: Final = 2.0  # a synchronous run that is quicker is known by its reply

log = Logger(__name__)


@contextmanager
def holding_on(ledger: Ledger, job: Job, *leases: Lock, keeps_due: bool = True) -> Iterator[None]:
    """Keep the leases, and upkeep away, for as long as this execution lives: a reply, or a search, may take minutes.

    Not away (`keeps_due`) from a synchronous start, whose run is looked for while its reply is waited for.
    """
    over = threading.Event()

    def renew() -> None:
        while not over.wait(START_LEASE_RENEW_SECS):
            try:
                for lease in leases:
                    lease.reacquire()
                if keeps_due:
                    ledger.agenda.postpone(job.key, START_LEASE_SECS)
            except (LockError, redis.RedisError) as error:
                log.warning("start_lease_not_renewed", job_key=job.key, error=type(error).__name__)

    thread = threading.Thread(target=renew, name="start-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def look_secs(job: Job) -> float:
    """Return the seconds after the announcement until another execution searches for the run, though its start is still
    waited for.
    """
    return SYNC_LOOK_SECS if job.document.mode == "sync" else START_LEASE_SECS

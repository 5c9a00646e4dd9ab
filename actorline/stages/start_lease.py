"""The lease of a start: one execution sends it, and keeps the lease for as long as it lives and waits for the reply."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import redis
from redis.exceptions import LockError
from redis.lock import Lock

from actorline.jobs.job import Job
from actorline.keep_alive import every
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger

START_LEASE_SECS: Final = 15.0  # longer than the span in which a start is sent; renewed while its reply is awaited
START_LEASE_RENEW_SECS: Final = 5.0
SYNC_LOOK_SECS: Final = 2.0  # a synchronous run that is quicker is known by its reply

log = Logger(__name__)


@contextmanager
def holding_on(ledger: Ledger, job: Job, *leases: Lock, postpones_due: bool = True) -> Iterator[None]:
    """Renew the leases while the block runs, as a reply or a search may take minutes, and with `postpones_due` keep
    upkeep from the job. A synchronous start doesn't: its run is looked for while its reply is awaited.
    """

    def renew() -> None:
        try:
            for lease in leases:
                lease.reacquire()
            if postpones_due:
                ledger.agenda.postpone(job.key, START_LEASE_SECS)
        except (LockError, redis.RedisError) as error:
            log.warning("start_lease_not_renewed", job_key=job.key, error=type(error).__name__)

    with every(START_LEASE_RENEW_SECS, renew, thread_name="start-lease"):
        yield


def look_secs(job: Job) -> float:
    """Return the seconds after the announcement until another execution searches for the run, though its start is still
    waited for.
    """
    return SYNC_LOOK_SECS if job.document.mode == "sync" else START_LEASE_SECS

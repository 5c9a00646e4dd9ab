"""Jobs whose runs can't be looked at, or aborted, again and again."""

from itertools import islice
from typing import Final

from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger

LOOKED_AT: Final = 5_000  # of each state, the newest: a person waits
LOADED: Final = 100


def failing_looks(ledger: Ledger, *, for_secs: float) -> list[Job]:
    """Return jobs whose looks or aborts have all failed for at least so long; those that are being aborted first.

    Parked jobs are looked at together, by a list: what fails then isn't theirs.
    """
    states = (State.ABORTING, State.RUNNING)
    keys = [key for state in states for key, _ in islice(ledger.list_keys(state), LOOKED_AT)]
    with ledger.redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hget(ledger.name("job", key), "failures")
        counts = pipe.execute()
    failing = [key for key, failures in zip(keys, counts, strict=True) if int(failures or 0) > 1]
    jobs = [job for job in ledger.load_many(failing[:LOADED]) if job and job.state in states]
    return [job for job in jobs if (job.failures - 1) * job.document.poll_interval_secs >= for_secs]

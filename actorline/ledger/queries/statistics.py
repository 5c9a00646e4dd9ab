"""How large a ledger is: how many jobs and batches, since when, and what they take of Redis."""

from dataclasses import dataclass
from itertools import islice
from typing import Final

from actorline.identifiers import JobKey
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.counts import count_jobs

SAMPLED_JOBS: Final = 20  # of each end


@dataclass(frozen=True)
class Statistics:
    """`oldest`: unix seconds at which the oldest job was ordered; `job_bytes`: of Redis, a job that has ended, by a
    sample of the newest; `file_bytes`: Redis's append-only file, of all its databases.
    """

    jobs: dict[State, int]
    batches: int
    oldest: float | None
    job_bytes: int | None
    used_bytes: int
    max_bytes: int
    file_bytes: int


def read_statistics(ledger: Ledger) -> Statistics:
    server = ledger.server()
    return Statistics(
        jobs=count_jobs(ledger, None),
        batches=int(ledger.redis.zcard(ledger.name("batches"))),
        oldest=_oldest(ledger),
        job_bytes=_job_bytes(ledger),
        used_bytes=server.used_bytes,
        max_bytes=server.max_bytes,
        file_bytes=server.aof_bytes,
    )


def _oldest(ledger: Ledger) -> float | None:
    with ledger.redis.pipeline(transaction=False) as pipe:
        for state in State:
            pipe.zrange(ledger.name("state", state), 0, 0, withscores=True)
        found = [float(entry[1]) for entries in pipe.execute() for entry in entries]
    return min(found, default=None)


def _job_bytes(ledger: Ledger) -> int | None:
    keys = [key for state in sorted(TERMINAL) for key, _ in islice(ledger.list_keys(state), SAMPLED_JOBS)]
    return sum(_bytes_of(ledger, key) for key in keys) // len(keys) if keys else None


def _bytes_of(ledger: Ledger, key: JobKey) -> int:
    names = [
        ledger.name(kind, key) for kind in ("job", "events", "runs", "callers", "job_ids", "stage_ids", "stage_tasks")
    ]
    with ledger.redis.pipeline(transaction=False) as pipe:
        for name in (*names, *(ledger.name(kind, key, 1) for kind in ("pages", "records", "row_keys"))):
            pipe.memory_usage(name)
        return sum(size or 0 for size in pipe.execute())

"""Forgetting jobs that ended long ago; what they delivered stays where it is."""

from collections.abc import Sequence
from typing import cast

from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.ledger.registration import index_names
from actorline.ledger.store import Store
from actorline.platform.marker import digest_of


class Retention:
    def __init__(self, store: Store) -> None:
        self._store = store

    def queued_before(self, state: State, before: float, limit: int, *, offset: int = 0) -> list[JobKey]:
        """Return keys of jobs in a state that were queued before a time, the oldest first, from the `offset`th on."""
        name = self._store.name("state", state)
        return cast("list[JobKey]", self._store.redis.zrangebyscore(name, "-inf", before, start=offset, num=limit))

    def ended_before(self, keys: Sequence[JobKey], before: float) -> list[JobKey]:
        """Return those of the jobs that ended before a time."""
        with self._store.redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hget(self._store.name("job", key), "ended_at")
            ends = pipe.execute()
        return [key for key, ended_at in zip(keys, ends, strict=True) if float(ended_at or 0) < before]

    def place(self, kind: str) -> int:
        """Return how many of the oldest were passed over, because they live or ended lately. `kind`: jobs in a state,
        or `batches`.
        """
        return int(self._store.redis.get(self._store.name("forget_from", kind)) or 0)

    def keep_place(self, kind: str, offset: int) -> None:
        """Remember how far this sweep came, for the next one to begin there."""
        self._store.redis.set(self._store.name("forget_from", kind), offset)

    def forget_input(self, key: JobKey) -> None:
        """Drop the input of a job that no retry can start again."""
        self._store.redis.hdel(self._store.name("job", key), "input")

    def forget(self, job: Job, *, runs_kept_s: int = 0) -> bool:
        """Remove an ended job from the ledger. Return whether it is gone. Safe to repeat.

        False: it was set going again meanwhile, or a run of it is still to be aborted. `runs_kept_s`: for so long its
        runs are left out of searches for those of a later job that has its key, and so its marker.
        """
        key, name = job.key, self._store.name
        pages = [
            name(kind, key, attempt)
            for kind in ("pages", "records", "row_keys")
            for attempt in range(1, job.attempt + 1)
        ]
        lists = [  # an older version that worked beside this one may have left it where it was before
            *(name("state", state, job.document.account.lower()) for state in State),
            *index_names(job.document, name),
        ]
        keys = [name("job", key), name("state", job.state), name("due"), name("ids"), name("job_ids", key),
                name("runs", key), name("run_keys"), name("strays"), name("markers"),
                name("like", job.likeness or ""),
                name("room_claims", job.document.account), name("room_needs", job.document.account),
                name("lost_runs", job.document.account), name("forgotten_runs"),
                name("stage_ids", key), job.open_set or name("open", ""), *lists,
                name("callers", key), name("events", key), name("stage_tasks", key),
                name("hinted_run", key), *pages]  # fmt: skip
        args = [key, job.state, job.ended_at or "", digest_of(key), job.attempt, runs_kept_s, len(lists)]
        return bool(self._store.run("forget", keys, args))

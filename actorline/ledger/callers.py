"""The Celery callers that wait for a job's end, and the Celery tasks that serve it."""

import json
from collections.abc import Mapping
from typing import Any, cast

from actorline.identifiers import JobKey, TaskId
from actorline.ledger.store import Store

Continuations = dict[TaskId, dict[str, Any]]
"""Of callers: task id -> what `keep_caller` of `tasks/shell/answers.py` noted."""


def caller_arguments(caller: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return what a script is told of a caller: its task id, and what else is noted of it as JSON."""
    if caller is None:
        return "", ""
    return caller["id"], json.dumps({name: value for name, value in caller.items() if name != "id"})


def read_callers(stored: Mapping[str, str]) -> Continuations:
    """Return the callers of a hash."""
    return {TaskId(task_id): json.loads(caller) for task_id, caller in stored.items()}


class Callers:
    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, key: JobKey) -> Continuations:
        """Return each caller that isn't known to be answered."""
        return read_callers(self._store.redis.hgetall(self._store.name("callers", key)))

    def forget(self, key: JobKey, task_id: TaskId) -> None:
        """Forget a caller that has its answer."""
        self._store.redis.hdel(self._store.name("callers", key), task_id)

    def name_tasks(
        self, key: JobKey, task_ids: Mapping[TaskId, str], *, drop_stale: bool = False, drop_last: bool = False
    ) -> None:
        """Remember which Celery tasks serve the job, so that a revoke of any of them means the job.

        `task_ids`: id -> its stage, for a link to it, or "" where there are many; `drop_stale`: the stages named so far
        are of an epoch that is over, and are forgotten; callers never are. `drop_last`: so is the last task of each of
        these stages, of which a job may have any number.
        """
        name = self._store.name
        keys = [name("ids"), name("job_ids", key), name("stage_ids", key), name("stage_tasks", key)]
        pairs = (part for pair in task_ids.items() for part in pair)
        dropped = "1" if drop_stale else "same" if drop_last else "0"
        self._store.run("name_tasks", keys, [key, dropped, *pairs])

    def stage_tasks(self, key: JobKey) -> dict[str, TaskId]:
        """Return stage -> the Celery task that it ran in last."""
        return cast("dict[str, TaskId]", self._store.redis.hgetall(self._store.name("stage_tasks", key)))

    def task_ids(self, key: JobKey) -> set[TaskId]:
        """Return the Celery tasks that serve the job, or have waited for it."""
        names = [self._store.name(kind, key) for kind in ("job_ids", "stage_ids")]
        return cast("set[TaskId]", self._store.redis.sunion(names))

    def key_of(self, task_id: TaskId) -> JobKey | None:
        """Return the key of the job that a Celery task serves or waits for."""
        return cast("JobKey | None", self._store.redis.hget(self._store.name("ids"), task_id))

"""PROGRESS: what a caller's result shows while the job is running."""

from collections.abc import Iterable
from typing import Any, Final

from celery import current_app, states
from redis.commands.core import Script

from actorline.identifiers import JobKey, TaskId
from actorline.jobs.job import Job
from actorline.jobs.progress import Progress
from actorline.redis_connection import quick
from tasks.shell.environment import ledger

EVERY_SECS: Final = 1
# It stores PROGRESS unless the task has ended. Celery checks and stores in two steps: a worker that stalls between them
# would overwrite the answer, and its caller would wait forever.
_STORE: Final = Script(
    quick.ANY_CLIENT,
    b"""
local stored = redis.call('GET', KEYS[1])
local is_read, result = pcall(cjson.decode, stored or '')
for number = 3, #ARGV do
  if is_read and type(result) == 'table' and result['status'] == ARGV[number] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return redis.call('PUBLISH', KEYS[1], ARGV[1])
""",
)


def report_progress(job: Job, callers: Iterable[TaskId]) -> None:
    """Store PROGRESS for each caller of a job that hasn't ended."""
    if job.is_terminal:
        return
    store_progress(callers, Progress.of(job).model_dump(mode="json"))


def store_progress(callers: Iterable[TaskId], progress: dict[str, Any]) -> None:
    """Store PROGRESS for each caller of a job or batch."""
    for task_id in callers:
        _store_unless_ended(task_id, progress)


def _store_unless_ended(task_id: TaskId, progress: dict[str, Any]) -> None:
    backend: Any = current_app.backend
    key = backend.get_key_for_task(task_id)
    nothing = dict.fromkeys(("traceback", "date_done"))
    message = backend.encode({"task_id": task_id, "status": "PROGRESS", "result": progress, "children": [], **nothing})
    quick.run_script(backend.client, _STORE, [key], [message, backend.expires, *states.READY_STATES])


def report_page(key: JobKey) -> None:
    """Report progress after a page, at most once in EVERY_SECS: there may be hundreds of pages."""
    if ledger().redis.set(ledger().name("progress", key), 1, nx=True, ex=EVERY_SECS):
        report_to_callers(key)


def report_to_callers(key: JobKey) -> None:
    job, callers = ledger().load_with_callers(key)
    if job:
        report_progress(job, callers)

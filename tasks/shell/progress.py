"""PROGRESS: what a caller's result shows while the job is running."""

from typing import Any

from celery import current_app, states

from actorline.identifiers import JobKey, TaskId
from actorline.jobs.job import Job, Progress
from tasks.shell.environment import ledger

EVERY_SECS = 1


def report_progress(job: Job) -> None:
    """Store PROGRESS for each caller of a job that hasn't ended."""
    if job.is_terminal:
        return
    store_progress(job.key, Progress.of(job).model_dump(mode="json"))


def store_progress(key: JobKey, progress: dict[str, Any]) -> None:
    """Store PROGRESS for each caller of a job or batch."""
    for task_id in ledger().callers.of(key):
        _store_unless_ended(task_id, progress)


def _store_unless_ended(task_id: TaskId, progress: dict[str, Any]) -> None:
    """Store PROGRESS unless the task has ended, in one transaction. Celery checks and stores in two steps: a worker
    that stalls between them would overwrite the answer, and its caller would wait forever.
    """
    backend: Any = current_app.backend
    key = backend.get_key_for_task(task_id)
    nothing = dict.fromkeys(("traceback", "date_done"))
    message = backend.encode({"task_id": task_id, "status": "PROGRESS", "result": progress, "children": [], **nothing})

    def store(pipe: Any) -> None:
        stored = pipe.get(key)
        ended = stored and backend.decode(stored)["status"] in states.READY_STATES
        pipe.multi()
        if not ended:
            pipe.set(key, message, ex=backend.expires)
            pipe.publish(key, message)

    backend.client.transaction(store, key)


def report_page(key: JobKey) -> None:
    """Report progress after a page, at most once in EVERY_SECS: there may be hundreds of pages."""
    if ledger().redis.set(ledger().name("progress", key), 1, nx=True, ex=EVERY_SECS):
        report_to_callers(key)


def report_to_callers(key: JobKey) -> None:
    job = ledger().load(key)
    if job:
        report_progress(job)

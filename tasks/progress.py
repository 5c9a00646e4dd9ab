"""PROGRESS: what a caller's result shows while the job goes on."""

from celery import current_app, states

from actorline.jobs.job import Job, Progress
from tasks.environment import ledger

EVERY_SECS = 1


def report_progress(job: Job) -> None:
    """Store PROGRESS for each caller of a job that hasn't ended."""
    if job.is_terminal:
        return
    progress = Progress.of(job).model_dump(mode="json")
    for task_id in ledger().callers(job.key):
        if job.retries and current_app.backend.get_state(task_id) in states.READY_STATES:
            continue  # a caller that was answered before the retry, and isn't forgotten yet
        current_app.backend.store_result(task_id, progress, "PROGRESS")


def report_page(key: str) -> None:
    """The same after a page, at most once in EVERY_SECS: pages may come by the hundred."""
    if ledger().redis.set(ledger().name("progress", key), 1, nx=True, ex=EVERY_SECS):
        tell_callers(key)


def tell_callers(key: str) -> None:
    job = ledger().load(key)
    if job:
        report_progress(job)

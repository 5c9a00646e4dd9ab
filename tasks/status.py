"""`actorline.status(key)`: return the job's result as far as it is known."""

from typing import Any

from celery import shared_task

from actorline.identifiers import JobKey
from actorline.jobs.job import JobResult
from tasks.shell.entrance_task import EntranceTask
from tasks.shell.environment import ledger


@shared_task(base=EntranceTask, name="actorline.status")
def status(key: JobKey) -> dict[str, Any] | None:
    """Return the job's result as it is now; None: unknown key."""
    job = ledger().load(key)
    return JobResult.of(job).model_dump(mode="json") if job else None

"""`actorline.cancel(key)`: the durable door to stop a job; its run is aborted, and that is checked."""

from typing import Any

from celery import shared_task

from actorline.jobs.cancelling import cancel_job
from actorline.jobs.job import JobResult
from tasks.door_task import DoorTask
from tasks.environment import ledger
from tasks.upkeep import care_for


@shared_task(base=DoorTask, name="actorline.cancel")
def cancel(key: str) -> dict[str, Any] | None:
    """The job as it is now; it ends CANCELLED when the platform says that its run has ended. None: unknown key."""
    if ledger().load(key) is None:
        return None
    ask_to_cancel(key)
    job = ledger().load(key)
    return JobResult.of(job).model_dump(mode="json") if job else None


def ask_to_cancel(key: str) -> None:
    if cancel_job(ledger(), key):
        care_for(key)

"""`actorline.status(key)`: return the job's result as far as it is known."""

from typing import Any

from celery import shared_task

from actorline.batches.find import result_of
from actorline.identifiers import JobKey
from tasks.shell.entrance_task import EntranceTask
from tasks.shell.environment import ledger


@shared_task(base=EntranceTask, name="actorline.status")
def status(key: JobKey) -> dict[str, Any] | None:
    """Return the result of the job or batch as it is now; None: unknown key."""
    result = result_of(ledger(), key)
    return result.model_dump(mode="json") if result else None

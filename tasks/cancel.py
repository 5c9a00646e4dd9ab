"""`actorline.cancel(key)`: stop a job durably; its run is aborted, and that is checked."""

from typing import Any

import redis
from celery import Task, shared_task
from kombu.exceptions import OperationalError

from actorline.batches.find import cancel_any, result_of
from actorline.identifiers import JobKey
from actorline.jobs.sender import FROM_CELERY
from tasks.shell.care import care
from tasks.shell.entrance_task import EntranceTask
from tasks.shell.environment import ledger
from tasks.shell.try_again import try_again


@shared_task(bind=True, base=EntranceTask, name="actorline.cancel", max_retries=None)
def cancel(self: "Task[Any, Any]", key: JobKey) -> dict[str, Any] | None:
    """Cancel the job and return it as it is; it is CANCELLED when the platform reports its run's end. None: unknown.

    A message that comes a second time stops nothing: the job may have been retried since.
    """
    try:
        if result_of(ledger(), key) is None:
            return None
        ask_to_cancel(key, request=self.request.id)
        result = result_of(ledger(), key)
    except (redis.RedisError, OperationalError) as error:  # the wish must not be lost while Redis is unavailable
        try_again(self, error)
    return result.model_dump(mode="json") if result else None


def ask_to_cancel(key: JobKey, *, request: str | None = None) -> None:
    """Cancel the job or batch and carry that out at once. `request`: see `request_field`."""
    if cancel_any(ledger(), key, sender=FROM_CELERY, request=request):
        care().for_job(key)

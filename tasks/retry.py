"""`actorline.retry(key)`: retry an ended job from the cheapest stage."""

from typing import Any

import redis
from celery import Task, shared_task
from kombu.exceptions import OperationalError

from actorline.batches.find import result_of, retry_any
from actorline.errors import JobRefused, Refused
from actorline.identifiers import JobKey
from actorline.jobs.job_key import shown_key
from actorline.jobs.job_result import JobResult
from actorline.jobs.sender import FROM_CELERY
from actorline.jobs.states import State
from actorline.ledger.durability import NotDurable
from tasks.shell.care import care
from tasks.shell.entrance_task import EntranceTask
from tasks.shell.environment import ledger
from tasks.shell.try_again import try_again


@shared_task(bind=True, base=EntranceTask, name="actorline.retry", max_retries=None, throws=(JobRefused,))
def retry(self: "Task[Any, Any]", key: JobKey) -> dict[str, Any] | None:
    """Retry the job and return it as it is now; to get its result, order it with the same key, which joins it.

    A message that comes a second time retries nothing. Raises JobRefused, with nothing changed, for a job that is
    still running, delivered, or unknown.
    """
    try:
        retry_any(ledger(), key, sender=FROM_CELERY, request=self.request.id)
        care().for_job(key)
        result = result_of(ledger(), key)
    except Refused as error:
        raise JobRefused(JobResult.refused(shown_key(key), State.FAILED, error.reason).model_dump_json()) from None
    except (NotDurable, redis.RedisError, OperationalError) as error:  # repeated under the same id: one retry
        try_again(self, error)
    return result.model_dump(mode="json") if result else None

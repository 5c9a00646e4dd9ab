"""`actorline.retry(key)`: an ended job once more, from the cheapest point."""

from typing import Any

from celery import shared_task

from actorline.errors import JobRefused, Refused
from actorline.jobs.document import shown_key
from actorline.jobs.job import JobResult
from actorline.jobs.retrying import retry_job
from actorline.jobs.states import State
from tasks.door_task import DoorTask
from tasks.environment import ledger
from tasks.upkeep import care_for


@shared_task(base=DoorTask, name="actorline.retry", throws=(JobRefused,))
def retry(key: str) -> dict[str, Any] | None:
    """The job as it is now; who wants its result orders it again with the same key, which joins it.

    Raises JobRefused, with nothing changed, for a job that goes on, is delivered, or isn't known.
    """
    try:
        retry_job(ledger(), key)
    except Refused as error:
        raise JobRefused(JobResult.refused(shown_key(key), State.FAILED, error.reason).model_dump_json()) from None
    care_for(key)
    job = ledger().load(key)
    return JobResult.of(job).model_dump(mode="json") if job else None

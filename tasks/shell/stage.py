"""The wrapper around every stage of the pipeline: no exception leaves it.

It would mark all tasks of the chain as failed. So it becomes an entry of the job's timeline and a `due` with back-off,
and the chain ends here; upkeep sends the stage again.
"""

from typing import Any, Final

import redis
import structlog
from celery import Task
from celery.exceptions import Ignore, Reject, Retry

from actorline.back_off import back_off_s
from actorline.errors import Reason
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.states import LIVE, Event
from actorline.jobs.step import Ended
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.change import Change
from actorline.ledger.stored_job import UnreadableJob
from actorline.platform.errors import PlatformError, asked_wait_s
from actorline.shutdown import GivenBack
from actorline.stages.ending import end_job
from actorline.stages.failure import is_hopeless, reason_of
from tasks.shell.answers import end_for_callers
from tasks.shell.environment import ledger
from tasks.shell.metrics import redelivered, stage_failures
from tasks.shell.plain_task import PlainTask
from tasks.shell.stage_request import HANDED_ON, RETRIED, StageRequest, end_here

STAGE_BACK_OFF_SECS: Final = (2.0, 4.0, 8.0, 16.0, 32.0, 60.0)

log = structlog.get_logger(__name__)


class StageTask(PlainTask):
    """A stage; its first two arguments are the job's key and epoch."""

    abstract = True
    Request = StageRequest
    max_retries = None
    ignore_result = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        key, epoch = args[0], args[1]
        if (self.request.delivery_info or {}).get("redelivered"):
            redelivered.labels(self.name).inc()
        with structlog.contextvars.bound_contextvars(job_key=key, epoch=epoch):
            try:
                return super().__call__(*args, **kwargs)
            except Ignore:
                return end_here(self, HANDED_ON)
            except Retry:
                return end_here(self, RETRIED)
            except GivenBack as error:
                raise Reject(requeue=True) from error
            except UnreadableJob as error:
                log.warning("stage_skipped", stage=self.name, message=str(error))
            except Exception as error:  # noqa: BLE001 - it becomes an entry of the job's timeline
                postpone(key, epoch, self.name, error)
            return end_here(self, HANDED_ON)


def again(task: "Task[Any, Any]", seconds: float, args: tuple[Any, ...] | None = None) -> Exception:
    """Return the retry of the task after `seconds`, keeping the arguments shown in Flower."""
    options: Any = {"argsrepr": task.request.get("argsrepr")}
    return task.retry(args=args, countdown=seconds, **options)


def postpone(key: JobKey, epoch: int, stage: str, error: Exception) -> None:
    """Plan the stage again. If the ledger can't be reached either, its existing `due` brings the job back."""
    stage_failures.labels(stage, type(error).__name__).inc()
    failed = {"stage": stage, "error": type(error).__name__, "message": str(error)[:300]}
    if isinstance(error, PlatformError):  # the text of others may hold an item
        failed["words"] = failed["message"]
    try:
        job = ledger().load(key)
        failures, failed_as = job.failures if job else 0, f"{stage}: {type(error).__name__}"
        alike = job.failed_alike + 1 if job and job.failed_as == failed_as else 1
        if job and job.epoch == epoch and is_hopeless(job, error, alike):
            end_as_failed(job, reason_of(job, stage, error, alike))
            return
        wait_s = back_off_s(STAGE_BACK_OFF_SECS, failures)
        applied = ledger().change(
            key,
            Change(
                due_in_s=max(wait_s, asked_wait_s(error)),
                event=TimelineEvent.STAGE_FAILED,
                data=failed,
                fields={"failures": failures + 1, "failed_as": failed_as, "failed_alike": alike, "is_planned": True},
            ),
            states=LIVE,
            epoch=epoch,
        )
    except redis.RedisError:
        log.warning("ledger_unreachable", **failed)
        return
    if applied is None:  # the job has ended or another execution has it: not in its timeline
        log.warning(TimelineEvent.STAGE_FAILED, **failed)


def end_as_failed(job: Job, reason: Reason) -> None:
    """End the job, and answer its callers."""
    if end_job(ledger(), job, Event.FAIL, reason) == Ended():
        end_for_callers(job.key)

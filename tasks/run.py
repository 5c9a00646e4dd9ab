"""`actorline.run(document)`: accept an order. The caller is stored and answered when the job has ended."""

from typing import Any

import redis
import structlog
from celery import Task, shared_task
from celery.worker import state as worker_state
from kombu.exceptions import OperationalError

from actorline.errors import JobRefused, Overloaded, Refused, Unavailable
from actorline.jobs.document import shown_key
from actorline.jobs.job import JobResult
from actorline.jobs.sender import FROM_CELERY
from actorline.jobs.states import State
from actorline.orders.submit import SubmittedJob, submit
from actorline.upkeep.decision import Stage
from config.json_messages import typed_as_text
from tasks.cancel import ask_to_cancel
from tasks.shell.answers import answer_callers, keep_caller
from tasks.shell.canvas import send_pipeline
from tasks.shell.environment import ledger, settings
from tasks.shell.order_request import KEPT, QuietTask
from tasks.shell.progress import report_progress
from tasks.shell.stage_request import end_here

TRY_AGAIN_SECS = 5.0

log = structlog.get_logger(__name__)


# no STARTED: it would be followed by PROGRESS at once, and overwrite the answer if the message comes again
@shared_task(
    bind=True, base=QuietTask, name="actorline.run", max_retries=None, throws=(JobRefused,), track_started=False
)
def run(self: "Task[Any, Any]", document: Any) -> str:
    """Register a job, or join the one that has its key. The result comes at the job's end, under this task's id.

    Raises JobRefused (nothing was started or changed) for a bad document.
    """
    try:
        submitted = submit(
            typed_as_text(document),
            ledger=ledger(),
            settings=settings(),
            trusted=False,
            sender=FROM_CELERY,
            caller=keep_caller(self.request),
        )
        _go_on(submitted)
    except (Refused, Overloaded) as error:
        raise JobRefused(_refusal(document, error)) from None
    except (Unavailable, redis.RedisError, OperationalError) as error:  # the caller must not see it as its job's end
        log.warning("order_waits", error=type(error).__name__)
        raise self.retry(countdown=TRY_AGAIN_SECS) from error
    if self.request.id in worker_state.revoked:  # revoked before its id was in the ledger
        ask_to_cancel(submitted.key, request=f"revoked {self.request.id}")
    return end_here(self, KEPT)


def _go_on(submitted: SubmittedJob) -> None:
    job, callers = ledger().load_with_callers(submitted.key)
    if job is None:
        return
    if job.is_terminal:
        ledger().agenda.make_due(job.key)
        answer_callers(job, callers)
        return
    if submitted.created:
        send_pipeline(job, Stage.START)
    report_progress(job, callers)


def _refusal(document: Any, error: Refused | Overloaded) -> str:
    key = document.get("key") if isinstance(document, dict) else None
    return JobResult.refused(shown_key(key), State.FAILED, error.reason).model_dump_json()

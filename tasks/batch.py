"""`actorline.batch(document)`: accept an order of many inputs. Its caller is answered once, at the end of all."""

from typing import Any

import redis
import structlog
from celery import Task, shared_task
from celery.worker import state as worker_state
from kombu.exceptions import OperationalError

from actorline.batches.batch import BatchResult, load_batch
from actorline.batches.submit import SubmittedBatch, submit_batch
from actorline.errors import JobRefused, Refused, Unavailable
from actorline.jobs.document import shown_key
from actorline.jobs.sender import FROM_CELERY
from config.json_messages import typed_as_text
from tasks.cancel import ask_to_cancel
from tasks.shell.answers import answer_callers, keep_caller
from tasks.shell.batches import report_batch, send_batch
from tasks.shell.environment import ledger, settings
from tasks.shell.order_request import KEPT, QuietTask
from tasks.shell.stage_request import end_here

TRY_AGAIN_SECS = 5.0

log = structlog.get_logger(__name__)


@shared_task(bind=True, base=QuietTask, name="actorline.batch", max_retries=None, throws=(JobRefused,))
def batch(self: "Task[Any, Any]", document: Any) -> str:
    """Register a batch, or join the one that has its key. The result comes at its end, under this task's id.

    Raises JobRefused (nothing was started or changed) for a bad document.
    """
    try:
        submitted = submit_batch(
            typed_as_text(document),
            ledger=ledger(),
            settings=settings(),
            trusted=False,
            sender=FROM_CELERY,
            caller=keep_caller(self.request),
        )
        _go_on(submitted)
    except Refused as error:
        key = document.get("key") if isinstance(document, dict) else None
        raise JobRefused(BatchResult.refused(shown_key(key), error.reason).model_dump_json()) from None
    except (Unavailable, redis.RedisError, OperationalError) as error:  # the caller must not see it as its batch's end
        log.warning("order_waits", error=type(error).__name__)
        raise self.retry(countdown=TRY_AGAIN_SECS) from error
    if self.request.id in worker_state.revoked:  # revoked before its id was in the ledger
        ask_to_cancel(submitted.key, request=f"revoked {self.request.id}")
    return end_here(self, KEPT)


def _go_on(submitted: SubmittedBatch) -> None:
    found = load_batch(ledger(), submitted.key)
    if found is None:
        return
    if found.is_terminal:
        ledger().batches.make_due(found.key)
        answer_callers(found, ledger().callers.of(found.key))
        return
    send_batch(found.key)
    report_batch(found)

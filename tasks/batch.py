"""`actorline.batch(document)`: accept an order of many inputs. Its caller is answered once, at the end of all."""

from typing import Any

from celery import Task, shared_task

from actorline.batches.batch import BatchResult, load_batch
from actorline.batches.submit import submit_batch
from actorline.errors import JobRefused
from actorline.identifiers import JobKey
from actorline.jobs.sender import FROM_CELERY
from tasks.shell.accept import accept
from tasks.shell.answers import answer_callers, keep_caller
from tasks.shell.batches import report_batch, send_batch
from tasks.shell.environment import ledger, settings
from tasks.shell.order_request import QuietTask


@shared_task(bind=True, base=QuietTask, name="actorline.batch", max_retries=None, throws=(JobRefused,))
def batch(self: "Task[Any, Any]", document: Any) -> str:
    """Register a batch, or join the one that has its key. The result comes at its end, under this task's id.

    Raises JobRefused (nothing was started or changed) for a bad document.
    """

    def register(order: Any) -> JobKey:
        submitted = submit_batch(
            order,
            ledger=ledger(),
            settings=settings(),
            trusted=False,
            sender=FROM_CELERY,
            caller=keep_caller(self.request),
        )
        _answer_or_send(submitted.key)
        return submitted.key

    return accept(self, document, register, lambda key, error: BatchResult.refused(key, error.reason))


def _answer_or_send(key: JobKey) -> None:
    found = load_batch(ledger(), key)
    if found is None:
        return
    if found.is_terminal:
        ledger().batches.make_due(found.key)
        answer_callers(found, ledger().callers.of(found.key))
        return
    send_batch(found.key)
    report_batch(found)

"""Messages that take a batch on, and its progress."""

from celery import current_app

from actorline.batches.batch import Batch, BatchProgress
from actorline.identifiers import JobKey
from tasks.shell.environment import ledger
from tasks.shell.progress import store_progress


def send_batch(key: JobKey) -> None:
    """Have a worker take the batch on, unless a message that does is under way already."""
    if ledger().batches.claim_message(key):
        current_app.send_task("actorline.advance_batch", [key])


def report_batch(batch: Batch) -> None:
    """Store PROGRESS for each caller of a batch that hasn't ended."""
    if not batch.is_terminal:
        store_progress(ledger().callers.of(batch.key), BatchProgress.of(batch, ledger().now()).model_dump(mode="json"))

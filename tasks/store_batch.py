"""`actorline.store_batch(key)`: what takes long of a batch: its inputs before the first member, its manifest after the
last one.
"""

from functools import cache
from typing import Final

from celery import shared_task
from celery.exceptions import Reject

from actorline.batches.batch import load_batch
from actorline.batches.inputs.reading_places import ReadingPlaces
from actorline.batches.store import BatchStore
from actorline.identifiers import JobKey
from actorline.shutdown import GivenBack
from tasks.shell.batches import send_batch
from tasks.shell.care import care
from tasks.shell.environment import installation, ledger, new_execution, settings

READERS_SHARE: Final = 4  # one thread in so many may read a source of inputs; the others are left for pages


@shared_task(name="actorline.store_batch", ignore_result=True)
def store_batch(key: JobKey) -> None:
    try:
        moved = BatchStore(ledger(), settings(), installation(), _places()).work(key, new_execution())
    except GivenBack as error:
        raise Reject(requeue=True) from error
    if not moved:
        return
    batch = load_batch(ledger(), key)
    if batch and batch.is_terminal:
        care().for_batch(key)
    else:
        send_batch(key)


@cache
def _places() -> ReadingPlaces:
    return ReadingPlaces(max(settings().fetch_concurrency // READERS_SHARE, 1))

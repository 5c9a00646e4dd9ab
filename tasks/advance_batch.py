"""`actorline.advance_batch(key)`: make, run again or stop a batch's members; `actorline.store_batch(key)`: what of it
takes long: its inputs before the first member, its manifest after the last one.
"""

from functools import cache
from typing import Final

from celery import current_app, shared_task
from celery.exceptions import Reject

from actorline.batches.advance import BatchAdvancer
from actorline.batches.batch import load_batch
from actorline.batches.decision import Close, Nothing, Rest, StoreInputs
from actorline.batches.inputs.reading_places import ReadingPlaces
from actorline.batches.store import BatchStore
from actorline.identifiers import JobKey
from actorline.shutdown import GivenBack
from tasks.shell.batches import report_batch, send_batch
from tasks.shell.care import care
from tasks.shell.environment import installation, ledger, new_execution, settings

READERS_SHARE: Final = 4  # one thread in so many may read a source of inputs; the others are left for pages


@shared_task(name="actorline.advance_batch", ignore_result=True)
def advance_batch(key: JobKey) -> None:
    ledger().batches.take_message(key)
    match BatchAdvancer(ledger(), settings(), start=care().for_job).advance(key):
        case StoreInputs() | Close():
            current_app.send_task("actorline.store_batch", [key])
        case Rest() | Nothing():
            pass
        case _:  # there is more to do than one message should
            send_batch(key)
    if batch := load_batch(ledger(), key):
        report_batch(batch)


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

"""`actorline.advance_batch(key)`: make, run again or stop a batch's members."""

from celery import current_app, shared_task

from actorline.batches.advance import BatchAdvancer
from actorline.batches.batch import load_batch
from actorline.batches.decision import Close, Nothing, Rest, StoreInputs
from actorline.identifiers import JobKey
from tasks.shell.batches import report_batch, send_batch
from tasks.shell.care import care
from tasks.shell.environment import ledger, settings


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

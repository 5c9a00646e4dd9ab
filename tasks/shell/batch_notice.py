"""The notice that a batch has ended, as `tasks/notify.py` sends a job's."""

from typing import Any

from celery import current_app
from celery.exceptions import Reject

from actorline.batches.batch import Batch, load_batch
from actorline.batches.notice import event_of_batch, secs_until_batch_notice
from actorline.identifiers import JobKey
from actorline.jobs.states import TERMINAL
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.admission.outside_places import PLACE_WAIT_SECS, NoPlaceFree, OutsidePlaces, PlaceTaken
from actorline.ledger.batches import BatchChange
from actorline.notify.allowed_tasks import DEFAULT_QUEUE
from actorline.notify.notice import next_try, task_id_of
from actorline.notify.sender import NoticeFailed, send_notice
from actorline.shutdown import GivenBack
from tasks.shell.canvas import care_for_now
from tasks.shell.environment import ledger, new_execution, settings
from tasks.shell.metrics import notices


def notify_of_batch(key: JobKey) -> None:
    batch = load_batch(ledger(), key)
    if batch is None or not batch.is_terminal or secs_until_batch_notice(batch, ledger().now()) != 0:
        return
    if batch.document.notify.task and not batch.task_told:
        _send_task(batch, batch.document.notify.task)
    if batch.document.notify.url and not batch.url_told:
        _send_request(batch, batch.document.notify.url)


def _send_task(batch: Batch, name: str) -> None:
    event, queue = event_of_batch(batch), batch.document.notify.queue or DEFAULT_QUEUE
    shown = f"(event={event['id']}, key={batch.key})"
    current_app.send_task(name, [event], queue=queue, task_id=task_id_of(event["id"]), argsrepr=shown)
    notices.labels("delivered").inc()
    _note(batch, TimelineEvent.TASK_NOTIFIED, {"task_told": True}, task=name, queue=queue)


def _send_request(batch: Batch, url: str) -> None:
    places = OutsidePlaces.of(ledger(), settings(), wake=care_for_now)
    try:
        with places.held_by(batch.key, batch.document.account, url, new_execution()) as place:
            send_notice(url, event_of_batch(batch), settings(), place)
    except NoPlaceFree:
        _note(batch, None, {"notice_at": ledger().now() + PLACE_WAIT_SECS})
    except PlaceTaken:
        return
    except GivenBack as error:
        raise Reject(requeue=True) from error
    except NoticeFailed as error:
        notices.labels("failed").inc()
        wait = next_try(batch.notice_failures)
        failures = {"notice_failures": batch.notice_failures + 1, "notice_at": ledger().now() + wait}
        _note(batch, TimelineEvent.NOTIFY_FAILED, failures, message=str(error), again_in_secs=wait)
    else:
        notices.labels("delivered").inc()
        _note(batch, TimelineEvent.URL_NOTIFIED, {"url_told": True})


def _note(batch: Batch, event: TimelineEvent | None, fields: dict[str, Any], **data: object) -> None:
    change = BatchChange(event=event, data=data, fields=fields, guards={"retries": batch.retries or ""})
    ledger().batches.change(batch.key, change, states=TERMINAL)

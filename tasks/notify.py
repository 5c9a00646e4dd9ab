"""`actorline.notify(key)`: notify the service of the end of a job or batch, by its Celery task or over HTTP."""

from celery import current_app, shared_task
from celery.exceptions import Reject

from actorline.identifiers import JobKey
from actorline.jobs.fields import JobFields
from actorline.jobs.job import Job
from actorline.jobs.states import TERMINAL
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.admission.outside_places import PLACE_WAIT_SECS, NoPlaceFree, OutsidePlaces, Place, PlaceTaken
from actorline.ledger.change import Change
from actorline.notify.allowed_tasks import DEFAULT_QUEUE, reserved_problem
from actorline.notify.notice import event_of, next_try, secs_until_notice, task_id_of
from actorline.notify.sender import NoticeFailed, send_notice
from actorline.shutdown import GivenBack
from tasks.shell.batch_notice import notify_of_batch
from tasks.shell.canvas import care_for_now
from tasks.shell.environment import ledger, new_execution, settings
from tasks.shell.metrics import notices


@shared_task(name="actorline.notify", ignore_result=True)
def notify(key: JobKey) -> None:
    job = ledger().load(key)
    if job is None:
        notify_of_batch(key)
        return
    if not job.is_terminal or secs_until_notice(job, ledger().now()) != 0:
        return
    if job.document.notify.task and not job.notice.task_told:
        _send_task(job, job.document.notify.task)
    if job.document.notify.url and not job.notice.url_told:
        _send_request(job, job.document.notify.url)


def _send_task(job: Job, name: str) -> None:
    event = event_of(job)
    shown = f"(event={event['id']}, key={job.key})"
    queue = job.document.notify.queue or DEFAULT_QUEUE
    if problem := reserved_problem(name, queue, settings().namespace):  # accepted by an older version
        _note(job, TimelineEvent.NOTIFY_REFUSED, message=problem, fields={"task_told": True})
        return
    current_app.send_task(name, [event], queue=queue, task_id=task_id_of(event["id"]), argsrepr=shown)
    notices.labels("delivered").inc()
    _note(job, TimelineEvent.TASK_NOTIFIED, task=name, queue=queue, fields={"task_told": True})


def _send_request(job: Job, url: str) -> None:
    """Send the notice if no other execution is sending it and a slot is free; otherwise a free slot wakes the job."""
    places = OutsidePlaces.of(ledger(), settings(), wake=care_for_now)
    try:
        with places.held(job, url, new_execution()) as place:
            _send_held(job.key, url, place)
    except NoPlaceFree:
        _note(job, None, fields={"notice_at": ledger().now() + PLACE_WAIT_SECS})
    except PlaceTaken:
        return
    except GivenBack as error:
        raise Reject(requeue=True) from error


def _send_held(key: JobKey, url: str, place: Place) -> None:
    job = ledger().load(key)
    if job is None or not job.is_terminal or job.notice.url_told:  # sent while this execution was waiting for the slot
        return
    try:
        send_notice(url, event_of(job), settings(), place)
    except NoticeFailed as error:
        notices.labels("failed").inc()
        wait = next_try(job.notice.failures)
        failures: JobFields = {"notice_failures": job.notice.failures + 1, "notice_at": ledger().now() + wait}
        _note(job, TimelineEvent.NOTIFY_FAILED, message=str(error), again_in_secs=wait, fields=failures)
    else:
        notices.labels("delivered").inc()
        _note(job, TimelineEvent.URL_NOTIFIED, fields={"url_told": True})


def _note(job: Job, event: TimelineEvent | None, *, fields: JobFields, **data: object) -> None:
    ledger().change(job.key, Change(event=event, data=data, fields=fields), states=TERMINAL, epoch=job.epoch)

"""`actorline.notify(key)`: notify the service of the end of a job or batch, by its Celery task or over HTTP."""

from celery import current_app, shared_task
from celery.exceptions import Reject

from actorline.identifiers import JobKey
from actorline.jobs.fields import JobFields
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.admission.outside_places import PLACE_WAIT_SECS, NoPlaceFree, OutsidePlaces, Place, PlaceTaken
from actorline.notify.allowed_tasks import DEFAULT_QUEUE, reserved_problem
from actorline.notify.notice import next_try, task_id_of
from actorline.notify.sender import NoticeFailed, send_notice
from actorline.shutdown import GivenBack
from tasks.shell.canvas import care_for_now
from tasks.shell.environment import ledger, new_execution, settings
from tasks.shell.metrics import notices
from tasks.shell.notice import Notice, find_notice


@shared_task(name="actorline.notify", ignore_result=True)
def notify(key: JobKey) -> None:
    notice = find_notice(key)
    if notice is None or not notice.is_due:
        return
    if notice.wanted.task and not notice.told.task_told:
        _send_task(notice, notice.wanted.task)
    if notice.wanted.url and not notice.told.url_told:
        _send_request(notice, notice.wanted.url)


def _send_task(notice: Notice, name: str) -> None:
    event, queue = notice.event(), notice.wanted.queue or DEFAULT_QUEUE
    if problem := reserved_problem(name, queue, settings().namespace):  # accepted by an older version
        notice.note(TimelineEvent.NOTIFY_REFUSED, {"task_told": True}, message=problem)
        return
    shown = f"(event={event['id']}, key={notice.ended.key})"
    current_app.send_task(name, [event], queue=queue, task_id=task_id_of(event["id"]), argsrepr=shown)
    notices.labels("delivered").inc()
    notice.note(TimelineEvent.TASK_NOTIFIED, {"task_told": True}, task=name, queue=queue)


def _send_request(notice: Notice, url: str) -> None:
    """Send the notice if no other execution is sending it and a place is free; otherwise it waits in line, and is
    called.
    """
    if not _try_to_send(notice, url):
        notice.note(None, {"notice_at": ledger().now() + PLACE_WAIT_SECS})
        _try_to_send(notice, url)  # one that became free before the note is reserved for it


def _try_to_send(notice: Notice, url: str) -> bool:
    """Send the notice from a place, unless another execution is sending it; return False if no place is free."""
    places = OutsidePlaces.of(ledger(), settings(), wake=care_for_now)
    try:
        with places.held_by(notice.ended.key, notice.ended.document.account, url, new_execution()) as place:
            _send_held(notice.ended.key, url, place)
    except NoPlaceFree:
        return False
    except PlaceTaken:
        return True
    except GivenBack as error:
        raise Reject(requeue=True) from error
    return True


def _send_held(key: JobKey, url: str, place: Place) -> None:
    notice = find_notice(key)
    if notice is None or notice.told.url_told:  # sent while this execution was on its way to the place
        return
    try:
        send_notice(url, notice.event(), settings(), place)
    except NoticeFailed as error:
        notices.labels("failed").inc()
        wait = next_try(notice.told.failures)
        failed: JobFields = {"notice_failures": notice.told.failures + 1, "notice_at": ledger().now() + wait}
        notice.note(TimelineEvent.NOTIFY_FAILED, failed, message=str(error), again_in_secs=wait)
    else:
        notices.labels("delivered").inc()
        notice.note(TimelineEvent.URL_NOTIFIED, {"url_told": True})

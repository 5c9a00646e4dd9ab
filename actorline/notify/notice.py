"""Notices that a job has ended: the event, and when it is sent (again).

Each is sent at least once, always with the same id: a receiver that stores ids handles each end once.
"""

import hashlib
import uuid
from typing import Any, Final

from actorline.back_off import back_off_s
from actorline.errors import Code, Refused
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.notify import Notify
from actorline.jobs.groups import NoticeGroup
from actorline.jobs.job import Job
from actorline.jobs.job_result import JobResult
from actorline.jobs.times import iso_time
from actorline.outbound.web_address import address_problem
from actorline.settings import Settings

NOTICE_BACK_OFF_SECS: Final = (5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0)
NOTICE_GIVE_UP_SECS: Final = 86_400.0
NOTICE_AGAIN_SECS: Final = 40.0  # one that was sent takes at most 20 s, and may wait in its queue


def event_of(job: Job) -> dict[str, Any]:
    """Return `{"id", "type": "job.delivered", "timestamp", "data": result}`, as in Standard Webhooks."""
    return {
        "id": event_id(job),
        "type": f"job.{job.state.lower()}",
        "timestamp": iso_time(job.ended_at),
        "data": JobResult.of(job).model_dump(mode="json"),
    }


def event_id(job: Job) -> str:
    """Return the id of this end of the job; another end, after a `retry`, has another one."""
    text = f"{job.key}\n{job.attempt}\n{job.retries}\n{job.state}"
    return f"evt_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def task_id_of(event_id: str) -> str:
    """Return the Celery task id of an event: the same however often it is sent."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, event_id))


def secs_until_notice(wanted: Notify, told: NoticeGroup, ended_at: float | None, now: float) -> float | None:
    """Return seconds until a notice of the end of a job or batch is due; None: no notice, or no longer."""
    if wanted.task and not told.task_told:
        return 0.0
    if wanted.url and not told.url_told and now < (ended_at or now) + NOTICE_GIVE_UP_SECS:
        return max((told.due_at or now) - now, 0.0)
    return None


def next_try(failures: int) -> float:
    """Return seconds until a notice that failed this often is sent again."""
    return back_off_s(NOTICE_BACK_OFF_SECS, failures)


def check_notify(document: JobDocument, settings: Settings) -> None:
    """Refuse a URL that no notice may be sent to. The addresses of its host are checked when it is sent."""
    problem = address_problem(document.notify.url, settings.notify_hosts) if document.notify.url else None
    if problem:
        raise Refused(
            Code.NOTIFY_REFUSED,
            f"notify.url {problem}. Nothing was started. ACTORLINE_NOTIFY_HOSTS lists the allowed hosts.",
        )

"""The notice of an end, alike for jobs and batches."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from actorline.batches.batch import Batch
from actorline.batches.find import load_any
from actorline.batches.notice import event_of_batch, secs_until_batch_notice
from actorline.identifiers import AccountName, JobKey
from actorline.jobs.document.notify import Notify
from actorline.jobs.fields import JobFields
from actorline.jobs.job import Job
from actorline.jobs.states import TERMINAL
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.batches import BatchChange
from actorline.ledger.change import Change
from actorline.notify.notice import event_of, secs_until_notice
from tasks.shell.environment import ledger


class Note(Protocol):
    """Stores fields with the job or batch, and the event in its timeline, unless it has been retried meanwhile."""

    def __call__(self, event: TimelineEvent | None, fields: JobFields, **data: object) -> None: ...


@dataclass(frozen=True)
class Notice:
    """The notice of the end of a job or batch. `failures`: how often it could not be sent to the URL."""

    key: JobKey
    account: AccountName
    wanted: Notify
    is_due: bool
    is_task_told: bool
    is_url_told: bool
    failures: int
    event: Callable[[], dict[str, Any]]
    note: Note


def find_notice(key: JobKey) -> Notice | None:
    """Return the notice of the job or batch, as it is now; None: it is unknown, or hasn't ended."""
    ended = load_any(ledger(), key)
    if ended is None or not ended.is_terminal:
        return None
    return _notice_of_job(ended) if isinstance(ended, Job) else _notice_of_batch(ended)


def _notice_of_job(job: Job) -> Notice:
    def note(event: TimelineEvent | None, fields: JobFields, **data: object) -> None:
        ledger().change(job.key, Change(event=event, data=data, fields=fields), states=TERMINAL, epoch=job.epoch)

    return Notice(
        job.key,
        job.document.account,
        job.document.notify,
        secs_until_notice(job, ledger().now()) == 0,
        job.notice.task_told,
        job.notice.url_told,
        job.notice.failures,
        partial(event_of, job),
        note,
    )


def _notice_of_batch(batch: Batch) -> Notice:
    def note(event: TimelineEvent | None, fields: JobFields, **data: object) -> None:
        change = BatchChange(event=event, data=data, fields=fields, guards={"retries": batch.retries or ""})
        ledger().batches.change(batch.key, change, states=TERMINAL)

    return Notice(
        batch.key,
        batch.document.account,
        batch.document.notify,
        secs_until_batch_notice(batch, ledger().now()) == 0,
        batch.task_told,
        batch.url_told,
        batch.notice_failures,
        partial(event_of_batch, batch),
        note,
    )

"""The notice of an end, alike for jobs and batches."""

from dataclasses import dataclass
from typing import Any

from actorline.batches.batch import Batch
from actorline.batches.find import load_any
from actorline.batches.notice import event_of_batch
from actorline.identifiers import JobKey
from actorline.jobs.document.notify import Notify
from actorline.jobs.fields import JobFields
from actorline.jobs.groups import NoticeGroup
from actorline.jobs.job import Job
from actorline.jobs.states import TERMINAL
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.batches import BatchChange
from actorline.ledger.change import Change
from actorline.notify.notice import event_of, secs_until_notice
from tasks.shell.environment import ledger


@dataclass(frozen=True)
class Notice:
    """The notice of the end of a job or batch."""

    ended: Job | Batch

    @property
    def wanted(self) -> Notify:
        return self.ended.document.notify

    @property
    def told(self) -> NoticeGroup:
        return self.ended.notice

    @property
    def is_due(self) -> bool:
        return secs_until_notice(self.wanted, self.told, self.ended.ended_at, ledger().now()) == 0

    def event(self) -> dict[str, Any]:
        return event_of(self.ended) if isinstance(self.ended, Job) else event_of_batch(self.ended)

    def note(self, event: TimelineEvent | None, fields: JobFields, **data: object) -> None:
        """Store fields with the job or batch, and the event in its timeline, unless it has been retried meanwhile."""
        ended = self.ended
        if isinstance(ended, Job):
            change = Change(event=event, data=data, fields=fields)
            ledger().change(ended.key, change, states=TERMINAL, epoch=ended.epoch)
        else:
            guards = {"retries": ended.retries or None}
            of_batch = BatchChange(event=event, data=data, fields=fields, guards=guards)
            ledger().batches.change(ended.key, of_batch, states=TERMINAL)


def find_notice(key: JobKey) -> Notice | None:
    """Return the notice of the job or batch, as it is now; None: it is unknown, or hasn't ended."""
    ended = load_any(ledger(), key)
    return Notice(ended) if ended and ended.is_terminal else None

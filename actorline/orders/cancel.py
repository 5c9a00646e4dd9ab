"""Cancelling sets a stop wish in the ledger, in whatever state the job is: it loses no race and is never refused."""

from actorline.identifiers import JobKey
from actorline.jobs.job import StopWish
from actorline.jobs.sender import Sender
from actorline.jobs.states import LIVE
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.orders.request_field import request_field


def cancel_job(ledger: Ledger, key: JobKey, *, sender: Sender | None = None, request: str | None = None) -> bool:
    """Record that the job is no longer wanted; it is due at once. Return False if it is unknown or has ended.

    The wish takes effect before it is on Redis's disk, and even if it can't be written there.
    `request`: see `request_field`; the second time it changes nothing, even if the job was retried in between.
    """
    asked, by = request_field("cancel", request), sender.facts() if sender else {}
    won = ledger.change(
        key,
        Change(
            due_in_s=0,
            event=TimelineEvent.CANCEL_ASKED,
            data=by,
            on_disk=True,
            or_warn=True,
            once=asked,
            fields={"stop_wish": StopWish.CANCEL, "is_planned": True},
        ),
        states=LIVE,
        epoch=None,
    )
    return won is not None or ledger.has_field(key, asked)

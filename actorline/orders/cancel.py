"""Cancelling sets a stop wish in the ledger, in whatever state the job is: it loses no race and is never refused."""

from collections.abc import Sequence
from typing import Final

from actorline.identifiers import JobKey
from actorline.jobs.job import StopWish
from actorline.jobs.sender import Sender
from actorline.jobs.states import LIVE
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.orders.request_field import request_field

AT_ONCE: Final = 200


def cancel_job(ledger: Ledger, key: JobKey, *, sender: Sender | None = None, request: str | None = None) -> bool:
    """Record that the job is no longer wanted; it is due at once. Return False if it is unknown or has ended.

    The wish takes effect before it is on Redis's disk, and even if it can't be written there.
    `request`: see `request_field`; the second time it changes nothing, even if the job was retried in between.
    """
    asked = request_field("cancel", request)
    won = ledger.change(key, _wish(sender, asked), states=LIVE, epoch=None)
    return won is not None or ledger.has_field(key, asked)


def cancel_jobs(ledger: Ledger, keys: Sequence[JobKey], *, sender: Sender) -> list[JobKey]:
    """Cancel many jobs at once, and return those that hadn't ended: Redis's disk is waited for once for 200 of them."""
    return [
        key
        for start in range(0, len(keys), AT_ONCE)
        for key in ledger.change_each(keys[start : start + AT_ONCE], _wish(sender, request_field("cancel", None)))
    ]


def _wish(sender: Sender | None, asked: str) -> Change:
    return Change(
        due_in_s=0,
        event=TimelineEvent.CANCEL_ASKED,
        data=sender.facts() if sender else {},
        on_disk=True,
        or_warn=True,
        once=asked,
        fields={"stop_wish": StopWish.CANCEL, "is_planned": True},
    )

"""Cancelling sets a stop wish in the ledger, in whatever state the job is: it loses no race and is never refused."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from actorline.identifiers import JobKey
from actorline.jobs.job import StopWish
from actorline.jobs.sender import Sender
from actorline.jobs.states import LIVE, State
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.orders.request_field import request_field

AT_ONCE: Final = 200


def cancel_job(ledger: Ledger, key: JobKey, *, sender: Sender, request: str | None = None) -> bool:
    """Record that the job is no longer wanted; it is due at once. Return False if it is unknown or has ended.

    The wish takes effect before it is on Redis's disk, and even if it can't be written there.
    `request`: see `request_field`; the second time it changes nothing, even if the job was retried in between. Nothing
    is changed either where the job's run is being aborted for a cancel or its deadline: it would be asked for again.
    """
    asked = request_field("cancel", request)
    while not (_change(ledger, [key], _wish(sender, asked)) or ledger.has_field(key, asked)):
        job = ledger.load(key)
        if job is None or job.is_terminal:
            return False
        if job.state is State.ABORTING and job.reason is not None:
            return True
    return True


def cancel_jobs(ledger: Ledger, keys: Sequence[JobKey], *, sender: Sender) -> list[JobKey]:
    """Cancel many jobs at once, and return those that hadn't ended: Redis's disk is waited for once for 200 of them."""
    won: set[JobKey] = set()
    for start in range(0, len(keys), AT_ONCE):
        won |= _change(ledger, keys[start : start + AT_ONCE], _wish(sender, request_field("cancel", None)))
    return [key for key in keys if key in won or cancel_job(ledger, key, sender=sender)]


def _change(ledger: Ledger, keys: Sequence[JobKey], wish: Change) -> set[JobKey]:
    """Return the jobs that were changed."""
    won = ledger.change_each(keys, wish, states=LIVE - {State.ABORTING})
    rest = [key for key in keys if key not in won]
    if rest:  # an abort for another reason, such as enough rows, becomes that of a cancel
        won += ledger.change_each(rest, replace(wish, guards={"reason": None}), states={State.ABORTING})
    return set(won)


def _wish(sender: Sender, asked: str) -> Change:
    return Change(
        due_in_s=0,
        event=TimelineEvent.CANCEL_ASKED,
        data=sender.facts(),
        on_disk=True,
        or_warn=True,
        once=asked,
        fields={"stop_wish": StopWish.CANCEL, "is_planned": True},
    )

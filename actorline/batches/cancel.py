"""Cancelling a batch: no member is made any more, and those that run are cancelled as jobs are."""

from actorline.batches.states import LIVE
from actorline.identifiers import JobKey
from actorline.jobs.job import StopWish
from actorline.jobs.sender import Sender
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.batches import BatchChange
from actorline.ledger.ledger import Ledger
from actorline.orders.request_field import request_field


def cancel_batch(ledger: Ledger, key: JobKey, *, sender: Sender, request: str | None = None) -> bool:
    """Record that the batch is no longer wanted; it is due at once. Return False if it is unknown or has ended.

    `request`: see `request_field`; the second time it changes nothing, even if the batch was retried in between.
    """
    asked = request_field("cancel", request)
    change = BatchChange(
        due_in_s=0,
        fields={"wanted": StopWish.CANCEL, asked: "@now"},
        guards={asked: None},
        event=TimelineEvent.CANCEL_ASKED,
        data=sender.facts(),
    )
    return ledger.batches.change(key, change, states=LIVE) or ledger.batches.has_field(key, asked)

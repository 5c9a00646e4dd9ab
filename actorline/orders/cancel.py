"""Cancelling is a wish in the ledger, set whatever the job's state is: it never loses a race, and is never refused."""

from actorline.jobs.job import StopWish
from actorline.jobs.sender import Sender
from actorline.jobs.states import LIVE
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.orders.request_field import request_field


def cancel_job(ledger: Ledger, key: str, *, sender: Sender | None = None, request: str | None = None) -> bool:
    """Record that the job isn't wanted any more; it is due at once. False: unknown, or it had ended already.

    The wish is in force before its place on Redis's disk is waited for, and also where that can't be had.
    `request`: see `request_field`; the second time it changes nothing, even if the job was retried in between.
    """
    asked, by = request_field("cancel", request), sender.facts() if sender else {}
    won = ledger.change(
        key,
        Change(
            due_in_s=0,
            event="cancel-asked",
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

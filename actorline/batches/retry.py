"""Retry an ended batch: only what isn't delivered runs again, in waves as before."""

from collections.abc import Mapping
from typing import Final

from actorline.batches.allowance import take_allowance
from actorline.batches.batch import Batch, load_batch
from actorline.batches.change import move_batch
from actorline.batches.states import BatchEvent
from actorline.errors import Code, Refused
from actorline.identifiers import JobKey
from actorline.jobs.job_key import shown_key
from actorline.jobs.sender import Sender
from actorline.jobs.states import State
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.ledger import Ledger
from actorline.orders.request_field import request_field
from actorline.orders.retry import RetryPlan

NOT_ENDED: Final[Mapping[str, object]] = {
    "wanted": None,
    "reason": None,
    "ended_at": None,
    "delivered_at": None,
    "waiting_for": None,
    "manifest": None,
    "failures": 0,
    "task_told": False,
    "url_told": False,
    "notice_failures": 0,
    "notice_at": None,
}
"""The fields of a batch that say how it ended, as they are before its end."""


def retry_batch(ledger: Ledger, key: JobKey, *, sender: Sender, request: str | None = None) -> None:
    """Retry an ended batch; it is due at once. `request`: see `request_field`.

    Raises Refused, with nothing changed, for a batch that is unknown, still running, or delivered.
    """
    batch, asked = load_batch(ledger, key), request_field("retry", request)
    if batch is None:
        raise Refused(Code.UNKNOWN_KEY, f"No batch has the key {shown_key(key)!r}. Nothing was started.")
    if ledger.batches.has_field(key, asked):
        return
    _check_ended(batch)
    sender.rights.check(batch.document.template)
    left = None if batch.inputs is None else batch.inputs - batch.delivered
    allowance = take_allowance(batch.document, left, ledger, sender)
    moved = move_batch(
        ledger,
        batch,
        BatchEvent.RESTART if batch.inputs is None else BatchEvent.RETRY,
        due_in_s=0,
        guards={asked: None},
        fields={
            **NOT_ENDED,
            asked: "@now",
            "retries": batch.retries + 1,
            "retried_at": "@now",
            "rerun_from": 0,
            "rerun_to": batch.made,
            "failed_before": batch.number_failed,
        },
        timeline=TimelineEvent.RETRIED,
        data={"from": batch.state, "left": left, **sender.facts()},
    )
    if not moved and allowance:
        ledger.spend(allowance.given_back())
    if not moved and not ledger.batches.has_field(key, asked):
        raise Refused(
            Code.CONFLICT, f"The batch {key} was just retried by another request. Nothing was changed.", key=key
        )


def plan_of_batch(batch: Batch) -> RetryPlan:
    """Return what `retry_batch` would do. Raises Refused for a batch that it would refuse."""
    _check_ended(batch)
    left = None if batch.inputs is None else batch.inputs - batch.delivered
    cost = "" if batch.cost_usd is None else f" So far it has cost ${batch.cost_usd:.4f}."
    match left:
        case None:
            text = "its inputs are read again, and run; runs are billed."
        case 1:
            text = "1 of its inputs isn't delivered: it runs again from its cheapest stage; runs are billed."
        case _:
            text = f"{left:,} of its inputs aren't delivered: each runs again from its cheapest stage; runs are billed."
    return RetryPlan(pays=True, text=text + cost)


def _check_ended(batch: Batch) -> None:
    if not batch.is_terminal:
        raise Refused(
            Code.CONFLICT,
            f"The batch {batch.key} is still running ({batch.state}): there is nothing to retry.",
            key=batch.key,
        )
    if batch.state is State.DELIVERED:
        raise Refused(Code.CONFLICT, f"The batch {batch.key} is delivered. Nothing was started.", key=batch.key)

"""Orders are written in groups: while one group waits for Redis's disk, the next one fills."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from actorline.errors import Code, Unavailable
from actorline.gateway.intake.batching import Batcher
from actorline.gateway.intake.order_rate import OrderRate
from actorline.gateway.intake.wake_ups import WakeUps
from actorline.jobs.job import Job
from actorline.ledger.ledger import Ledger
from actorline.ledger.stored_job import UnreadableJob
from actorline.orders.submit import Submission, SubmittedJob, submit_many
from actorline.settings import Settings

SMALL_BYTES: Final = 10_000  # what a small order takes in memory, with its response
ORDER_WRITE_SECS: Final = 9.0
"""Longer than a write may take to be on disk, and shorter than the drain, so that a stop cuts no request off."""
GROUP_BYTES: Final = 1_000_000  # a hundred small orders; few wait with a large one


@dataclass(frozen=True)
class StoredOrder:
    created: bool
    job: Job


@dataclass(frozen=True)
class PendingOrder:
    """What was sent, its size, and the reply that the request waits for."""

    submission: Submission
    size_bytes: int
    reply: "asyncio.Future[StoredOrder]"

    @property
    def holder(self) -> str:
        return self.submission.sender.holder or ""


class OrderIntake:
    """Writes orders in its own thread; each is on Redis's disk before its response."""

    def __init__(self, settings: Settings, ledger: Ledger, wake_ups: WakeUps) -> None:
        self._settings = settings
        self._ledger = ledger
        self._wake_ups = wake_ups
        self._rate = OrderRate(ledger, settings.quotas.orders_per_minute)
        self._loop = asyncio.get_running_loop()
        self._groups: Batcher[PendingOrder] = Batcher(
            "orders", self._work, most=GROUP_BYTES, weight=lambda order: SMALL_BYTES + order.size_bytes
        )

    async def take(self, submission: Submission, size_bytes: int) -> StoredOrder:
        """Put the order into the ledger. Raises Refused, Unavailable, and Fault above the API key's rate."""
        order = PendingOrder(submission, size_bytes, self._loop.create_future())
        self._groups.put(order)
        try:
            async with asyncio.timeout(ORDER_WRITE_SECS):
                return await order.reply
        except TimeoutError:
            raise Unavailable(
                Code.REDIS_UNAVAILABLE,
                f"Redis did not accept the order within {ORDER_WRITE_SECS:g} s. It may have been stored and start "
                "later: send it again with the same key, or cancel it.",
            ) from None

    def admit_one(self, holder: str) -> None:
        """Count an order that is written elsewhere. Raises Fault above the API key's rate."""
        if not self._rate.admit(holder, 1):
            raise self._rate.refusal(holder)

    def close(self) -> None:
        self._groups.close()

    def _work(self, orders: list[PendingOrder]) -> None:
        outcomes: Sequence[StoredOrder | Exception]
        try:
            outcomes = self._take_some(orders)
        except Exception as error:  # noqa: BLE001 - passed to the waiting requests
            outcomes = [error] * len(orders)
        self._loop.call_soon_threadsafe(_reply, orders, outcomes)

    def _take_some(self, orders: Sequence[PendingOrder]) -> list[StoredOrder | Exception]:
        """Accept as many as each API key has left in this minute."""
        counts = Counter(order.holder for order in orders)
        left = {holder: self._rate.admit(holder, count) for holder, count in counts.items()}
        admitted: list[PendingOrder] = []
        for order in orders:
            if left[order.holder] > 0:
                left[order.holder] -= 1
                admitted.append(order)
        taken = dict(zip(map(id, admitted), self._take([order.submission for order in admitted]), strict=True))
        return [taken[id(order)] if id(order) in taken else self._rate.refusal(order.holder) for order in orders]

    def _take(self, orders: Sequence[Submission]) -> list[StoredOrder | Exception]:
        submitted = submit_many(orders, ledger=self._ledger, settings=self._settings, trusted=False)
        taken = [each for each in submitted if isinstance(each, SubmittedJob)]
        for each in taken:
            if each.created:
                self._wake_ups.start(each.key)
        jobs = dict(zip(taken, self._ledger.load_many([each.key for each in taken]), strict=True))
        return [each if isinstance(each, Exception) else _outcome(each, jobs[each]) for each in submitted]


def _outcome(submitted: SubmittedJob, job: Job | None) -> StoredOrder | Exception:
    """Return the outcome; one job that can't be read must not fail the other orders of its group."""
    return UnreadableJob(submitted.key) if job is None else StoredOrder(submitted.created, job)


def _reply(orders: Sequence[PendingOrder], outcomes: Sequence[StoredOrder | Exception]) -> None:
    for order, outcome in zip(orders, outcomes, strict=True):
        if order.reply.done():  # the request is gone
            continue
        if isinstance(outcome, StoredOrder):
            order.reply.set_result(outcome)
        else:
            order.reply.set_exception(outcome)

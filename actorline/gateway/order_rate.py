"""Orders a minute by API key, counted in Redis: so many over all gateways together."""

import time

from actorline.errors import Code
from actorline.gateway.problems import Fault
from actorline.ledger.ledger import Ledger
from actorline.ledger.rate_limit import MinuteCounter


class OrderRate:
    def __init__(self, ledger: Ledger, per_minute: int) -> None:
        self._per_minute = per_minute
        self._counter = MinuteCounter(ledger, "orders")

    def admit(self, holder: str, orders: int) -> int:
        """Count orders, and return how many of them still belong to this minute: one trip, however many they are."""
        counted = self._counter.add(holder, orders)
        return max(0, min(orders, self._per_minute - (counted - orders)))

    def refusal(self, holder: str) -> Fault:
        """What those are told that don't."""
        seconds = max(1, round(self._counter.ends_at(holder) - time.time()))
        message = (
            f"This API key may place {self._per_minute:,} orders a minute. Nothing was started. "
            f"Send the order again in {seconds} s."
        )
        return Fault(429, Code.QUOTA, message, **{"Retry-After": str(seconds)})

"""Orders per minute and API key, counted in Redis over all gateways."""

import time

from actorline.errors import Code
from actorline.gateway.problems import Fault
from actorline.ledger.admission.minute_counter import MinuteCounter
from actorline.ledger.ledger import Ledger


class OrderRate:
    def __init__(self, ledger: Ledger, per_minute: int) -> None:
        self._per_minute = per_minute
        self._counter = MinuteCounter(ledger, "orders")

    def admit(self, holder: str, orders: int) -> int:
        """Count orders in one round trip, and return how many of them this minute still allows."""
        counted = self._counter.add(holder, orders)
        return max(0, min(orders, self._per_minute - (counted - orders)))

    def refusal(self, holder: str) -> Fault:
        """Return the fault for an order above the rate."""
        seconds = max(1, round(self._counter.ends_at(holder) - time.time()))
        message = (
            f"This API key may place {self._per_minute:,} orders per minute. Nothing was started. "
            f"Send the order again in {seconds} s."
        )
        return Fault(429, Code.QUOTA, message, **{"Retry-After": str(seconds)})

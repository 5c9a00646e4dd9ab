"""Orders a minute by API key, counted in Redis: so many over all gateways together."""

import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage

from actorline.errors import Code
from actorline.gateway.problems import Fault
from actorline.ledger.ledger import Ledger

MINUTE_SECS: Final = 60


class OrderRate:
    def __init__(self, ledger: Ledger, per_minute: int) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        self._storage = RedisStorage(
            "redis://", connection_pool=ledger.redis.connection_pool, key_prefix=ledger.name("orders")
        )

    def admit(self, holder: str, orders: int) -> int:
        """Count orders, and return how many of them still belong to this minute: one trip, however many they are."""
        counted = self._storage.incr(self._item.key_for(holder), MINUTE_SECS, amount=orders)
        return max(0, min(orders, self._item.amount - (counted - orders)))

    def refusal(self, holder: str) -> Fault:
        """What those are told that don't."""
        seconds = max(1, round(self._storage.get_expiry(self._item.key_for(holder)) - time.time()))
        message = (
            f"This API key may place {self._item.amount:,} orders a minute. Nothing was started. "
            f"Send the order again in {seconds} s."
        )
        return Fault(429, Code.QUOTA, message, **{"Retry-After": str(seconds)})

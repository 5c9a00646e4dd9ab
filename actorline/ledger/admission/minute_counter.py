"""How often something happened in this minute: the orders of an API key."""

from typing import Final

from limits import RateLimitItemPerMinute

from actorline.ledger.admission.limit_storage import LimitStorage
from actorline.ledger.ledger import Ledger

MINUTE_SECS: Final = 60


class MinuteCounter:
    """Counts by name within a minute, which begins with the first; all processes together."""

    def __init__(self, ledger: Ledger, kind: str) -> None:
        self._item = RateLimitItemPerMinute(1)
        self._storage = LimitStorage(ledger, kind)

    def add(self, name: str, number: int) -> int:
        """Count some more, and return how many that makes in this minute: one trip, however many they are."""
        return int(self._storage.incr(self._item.key_for(name), MINUTE_SECS, amount=number))

    def ends_at(self, name: str) -> float:
        """Return the unix seconds at which the minute is over."""
        return float(self._storage.get_expiry(self._item.key_for(name)))

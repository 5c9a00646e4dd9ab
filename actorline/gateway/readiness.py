"""Whether an order could be taken now, as `/readyz` says it to anybody who asks."""

import time
from threading import Lock
from typing import Final

import redis

from actorline.errors import Unavailable
from actorline.jobs.durability import check_server
from actorline.jobs.ledger import Ledger

FRESH_SECS: Final = 1.0


class Readiness:
    """Redis is asked once a second at most, however many unknown clients ask us."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = Lock()
        self._checked_at = float("-inf")
        self._fault: Exception | None = None

    def check(self) -> None:
        """Raises what the check raised the last time."""
        with self._lock:
            if time.monotonic() - self._checked_at >= FRESH_SECS:
                self._fault = self._caught()
                self._checked_at = time.monotonic()
            if self._fault:
                raise self._fault

    def _caught(self) -> Exception | None:
        try:
            check_server(self._ledger.redis)
        except (redis.RedisError, Unavailable) as error:
            return error
        return None

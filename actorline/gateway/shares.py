"""What an API key may hold at a time: so many of a kind for each key, and so many for all together."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from actorline.errors import Code
from actorline.gateway.problems import Fault

RETRY_AFTER_SECS: Final = 5


class Shares:
    """Who wants more than the own share is refused (429), as is who comes when all are taken (503); the others aren't
    harmed. `holder`: an API key's name.
    """

    def __init__(self, kind: str, *, each: int, together: int) -> None:
        self._kind = kind
        self._each = each
        self._together = together
        self._held: Counter[str] = Counter()

    def take(self, holder: str, amount: int = 1) -> None:
        """Raises Fault if there is no room."""
        if self._held[holder] + amount > self._each:
            message = f"This API key may have {self._each:,} {self._kind} at a time. Wait until one ends."
            raise Fault(429, Code.QUOTA, message, **{"Retry-After": str(RETRY_AFTER_SECS)})
        if self._held.total() + amount > self._together:
            message = f"All {self._together:,} places for {self._kind} are taken. Try again later."
            raise Fault(503, Code.CAPACITY, message)
        self._held[holder] += amount

    def give_back(self, holder: str, amount: int = 1) -> None:
        self._held[holder] -= amount
        if not self._held[holder]:
            del self._held[holder]

    @contextmanager
    def held(self, holder: str) -> Iterator[None]:
        """One, for as long as the block lasts."""
        self.take(holder)
        try:
            yield
        finally:
            self.give_back(holder)

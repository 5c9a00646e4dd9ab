"""Limits on what may be held at a time: for each API key, and for all together."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from actorline.errors import Code
from actorline.gateway.problems import Fault

RETRY_AFTER_SECS: Final = 5


class Shares:
    """Refuses a key more than its share (429), and any key when all are in use (503), so that no key starves the
    others. `holder`: an API key's name.
    """

    def __init__(self, kind: str, *, each: int, together: int) -> None:
        self._kind = kind
        self._each = each
        self._together = together
        self._held: Counter[str] = Counter()

    def take(self, holder: str, amount: int = 1) -> None:
        """Take an amount for the holder. Raises Fault if its share, or the total, is used up."""
        if self._held[holder] + amount > self._each:
            raise Fault(
                429,
                Code.QUOTA,
                f"This API key may have {self._each:,} {self._kind} at a time. Wait until one has ended.",
                **{"Retry-After": str(RETRY_AFTER_SECS)},
            )
        if self._held.total() + amount > self._together:
            raise Fault(503, Code.CAPACITY, f"All {self._together:,} {self._kind} are in use. Try again later.")
        self._held[holder] += amount

    def give_back(self, holder: str, amount: int = 1) -> None:
        self._held[holder] -= amount
        if not self._held[holder]:
            del self._held[holder]

    @property
    def in_use(self) -> int:
        """Return how many are held, by all together."""
        return self._held.total()

    @contextmanager
    def held(self, holder: str, amount: int = 1) -> Iterator[None]:
        """Hold an amount while the block runs. Raises Fault, as `take`."""
        self.take(holder, amount)
        try:
            yield
        finally:
            self.give_back(holder, amount)

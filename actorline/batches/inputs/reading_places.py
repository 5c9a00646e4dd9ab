"""How many sources of inputs a process reads at a time: a slow server may take an hour for one."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from actorline.identifiers import AccountName


class ReadingPlaces:
    """At most half of the places are for one account: what its servers do keeps no other account from reading."""

    def __init__(self, in_all: int) -> None:
        self._in_all = in_all
        self._taken: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def held(self, account: AccountName) -> Iterator[bool]:
        """Hold a place during the block; yields False if none is free."""
        name = account.lower()
        has_place = self._take(name)
        try:
            yield has_place
        finally:
            if has_place:
                with self._lock:
                    self._taken[name] -= 1

    def _take(self, account: str) -> bool:
        with self._lock:
            is_free = self._taken.total() < self._in_all and self._taken[account] < max(self._in_all // 2, 1)
            self._taken[account] += is_free
            return is_free

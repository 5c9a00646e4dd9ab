"""Limits a worker's threads that wait for the platform, so that orders and other accounts always find free ones."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

from actorline.identifiers import AccountName
from actorline.platform.errors import PlatformBusy
from tasks.shell.environment import settings

ENTRANCE_THREADS: Final = 2
SLOT_WAIT_SECS: Final = 1.0  # a fast platform frees a slot sooner
SLOW_CALL_SECS: Final = 3.0  # a call that takes longer won't be over within that second


class Slots:
    """`total`: for all accounts together; `each`: for one of them."""

    def __init__(self, total: int, each: int) -> None:
        self._total, self._each = total, each
        self._taken: dict[object, tuple[str, float]] = {}
        self._given_back = threading.Condition()

    @contextmanager
    def taken(self, account: AccountName) -> Iterator[None]:
        """Hold a slot. Raises PlatformBusy if none becomes free within a second, or at once if calls hang."""
        slot = object()
        with self._given_back:
            wait_s = 0 if self._is_silent() else SLOT_WAIT_SECS
            if not self._given_back.wait_for(lambda: self._is_free(account), wait_s):
                raise PlatformBusy(
                    f"All threads that may wait for the platform are waiting (account {account})", attempts=0
                )
            self._taken[slot] = (account, time.monotonic())
        try:
            yield
        finally:
            with self._given_back:
                del self._taken[slot]
                self._given_back.notify_all()

    def _is_free(self, account: AccountName) -> bool:
        own = sum(holder == account for holder, _ in self._taken.values())
        return len(self._taken) < self._total and own < self._each

    def _is_silent(self) -> bool:
        since = min((since for _, since in self._taken.values()), default=time.monotonic())
        return time.monotonic() - since > SLOW_CALL_SECS


@cache
def slots() -> Slots:
    """Return the slots of this process's control threads."""
    threads = settings().control_concurrency
    return Slots(total=max(threads - ENTRANCE_THREADS, 1), each=max(threads // 2, 1))

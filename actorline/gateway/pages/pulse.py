"""Open pages are told when something changed, so that their script reads them again. One look at Redis serves all.

Events hold no data: what a page shows is read with its visitor's own rights. The more pages are open, the less often
each is told, so that all together take a bounded part of a core.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import redis
import structlog

from actorline.jobs.states import LIVE
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.counts import count_jobs, stored_items

LOOK_SECS: Final = 1.0
EACH_SECS: Final = 2.0  # between two changes that one page is told of
PAGE_SECS: Final = 0.4  # a page of a ledger of 200,000 jobs takes 27 ms of a core: less than a tenth in all
AGES_SECS: Final = 15  # while jobs are running, pages grow old without any event

Accounts = frozenset[str] | None
Event = dict[str, Any]
CHANGED: Final[Event] = {"event": "changed", "data": ""}
END: Final[Event] = {"event": "end", "data": ""}

log = structlog.get_logger(__name__)


class Pulse:
    """Looks at the ledger in `run`, once for all visitors of the same accounts, while lists of jobs are open."""

    def __init__(self, ledger: Ledger, *, is_stopping: Callable[[], bool]) -> None:
        self._ledger = ledger
        self._is_stopping = is_stopping
        self._pages = 0
        self._lists: Counter[Accounts] = Counter()
        self._seen: dict[Accounts, object] = {}
        self._somebody = asyncio.Event()

    @property
    def each_s(self) -> float:
        """Return how often a page may be told of changes."""
        return max(EACH_SECS, self._pages * PAGE_SECS)

    async def run(self) -> None:
        while True:
            if not +self._lists:
                self._somebody.clear()
                self._seen.clear()
                await self._somebody.wait()
            try:
                self._seen = await asyncio.to_thread(self._look, list(+self._lists))
            except redis.RedisError as error:
                log.warning("redis_unavailable", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECS)

    def _look(self, visitors: list[Accounts]) -> dict[Accounts, object]:
        return {accounts: self._signature(accounts) for accounts in visitors}

    def _signature(self, accounts: Accounts) -> object:
        """Return what differs as soon as something has happened to a job of the accounts."""
        counts = count_jobs(self._ledger, accounts)
        age = int(self._ledger.now() / AGES_SECS) if any(counts[state] for state in LIVE) else 0
        return counts, age, stored_items(self._ledger) if accounts is None else None

    async def of_jobs(self, accounts: Accounts) -> AsyncIterator[Event]:
        """Yield an event for each change of the jobs of some accounts."""

        async def seen() -> object:
            return self._seen.get(accounts)

        self._lists[accounts] += 1
        self._somebody.set()
        try:
            async for event in self.of(seen):
                yield event
        finally:
            self._lists[accounts] -= 1

    async def of(self, state: Callable[[], Awaitable[object]]) -> AsyncIterator[Event]:
        """Yield an event whenever the state differs, until it is None."""
        self._pages += 1
        try:
            last, told_at = await state(), time.monotonic()
            share = random.random()  # noqa: S311 - after a restart all pages come at once: this spreads them
            while not self._is_stopping():
                await asyncio.sleep(LOOK_SECS)
                if time.monotonic() - told_at < self.each_s * share:
                    continue
                last, before, told_at, share = await state(), last, time.monotonic(), 1.0
                if last is None and before is not None:
                    break
                if before is not None and last != before:
                    yield CHANGED
            yield END
        finally:
            self._pages -= 1

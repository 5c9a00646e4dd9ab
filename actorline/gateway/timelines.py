"""Waiting for jobs to change: one read of Redis for all waiting requests, none of which holds a thread."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Final

import redis
import structlog

from actorline.identifiers import JobKey
from actorline.ledger.ledger import Ledger

BLOCK_MS: Final = 200  # how long a new request may wait to be part of the read
PAUSE_SECS: Final = 1.0  # after Redis didn't respond

log = structlog.get_logger(__name__)


class Timelines:
    """Reads timelines in `run` until it is cancelled; requests wait in `grown`."""

    def __init__(self, ledger: Ledger, *, is_stopping: Callable[[], bool]) -> None:
        self._ledger = ledger
        self.is_stopping = is_stopping
        self._waiting: defaultdict[str, dict[asyncio.Event, str]] = defaultdict(
            dict
        )  # stream -> events, each with an id
        self._somebody = asyncio.Event()

    async def grown(self, key: JobKey, after: str, within_s: float) -> None:
        """Return when the job's timeline has an entry after the id `after`, after `within_s`, or at shutdown."""
        stream, event = self._ledger.timeline.stream(key), asyncio.Event()
        self._waiting[stream][event] = after
        self._somebody.set()
        try:
            async with asyncio.timeout(within_s):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            waiting = self._waiting[stream]
            waiting.pop(event, None)
            if not waiting:
                del self._waiting[stream]

    async def run(self) -> None:
        while True:
            if not self._waiting:
                self._somebody.clear()
                await self._somebody.wait()
            oldest = {stream: min(events.values(), key=order) for stream, events in self._waiting.items()}
            try:
                grown = await asyncio.to_thread(self._read, oldest)
            except redis.RedisError as error:
                log.warning("redis_unavailable", error=type(error).__name__)
                await asyncio.sleep(PAUSE_SECS)
                continue
            for stream in self._waiting if self.is_stopping() else grown & self._waiting.keys():
                for event in self._waiting[stream]:
                    event.set()

    def _read(self, after: dict[str, str]) -> set[str]:
        """Return the streams that have an entry after their id."""
        return self._ledger.timeline.grown(after, within_ms=BLOCK_MS)


def order(entry_id: str) -> tuple[int, ...]:
    """Return a sort key: ids of a stream are two numbers, `1763900000000-0`."""
    return tuple(map(int, entry_id.split("-")))

"""Whether an order could be accepted now, as `/readyz` reports it."""

import asyncio
import time
from typing import Final

import redis
from starlette.concurrency import run_in_threadpool

from actorline.errors import Unavailable
from actorline.ledger.durability import check_server
from actorline.ledger.store import Client

READINESS_FRESH_SECS: Final = 1.0
SILENCE_SECS: Final = 2.0  # twice, as a connection of before may be gone: usual probes wait for 5 s


class Readiness:
    """Checks Redis at most once a second; concurrent requests share one check, even if it doesn't respond."""

    def __init__(self, client: Client) -> None:
        """Keep a client that gives up soon: see `SILENCE_SECS`."""
        self._client = client
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._fault: redis.RedisError | Unavailable | None = None

    async def check(self) -> None:
        """Check Redis. Raises redis.RedisError or Unavailable as the last check did."""
        if time.monotonic() - self._looked_at >= READINESS_FRESH_SECS:
            self._looking = self._looking or asyncio.create_task(self._look())
            await asyncio.shield(self._looking)
        if self._fault:
            raise self._fault.with_traceback(None)

    async def _look(self) -> None:
        try:
            await run_in_threadpool(check_server, self._client)
            self._fault = None
        except (redis.RedisError, Unavailable) as error:
            self._fault = error
        finally:
            self._looked_at, self._looking = time.monotonic(), None

"""The audit log: one line for each request that changes something, and for each that was refused."""

import asyncio
from typing import Final

import redis
import structlog
from fastapi import Request
from starlette.concurrency import run_in_threadpool

from actorline.jobs.sender import Sender
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.tally import note_refused

log = structlog.get_logger("audit")

WRITE_EVERY_SECS: Final = 1.0


def note_change(event: str, sender: Sender, **facts: object) -> None:
    log.info(event, logger="audit", **facts, **sender.facts())


class Refusals:
    """Counts refused authentications and writes their number to Redis once a second, however many there are."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._unwritten = 0
        self._writing: asyncio.Task[None] | None = None

    def note(self, request: Request, known_name: str | None = None) -> None:
        """Log and count one. The path is logged as its pattern: the real one may hold a secret."""
        route = getattr(request.scope.get("route"), "path", None)
        sender = Sender("http", known_name, request.client.host if request.client else None)
        note_change("authentication-refused", sender, method=request.method, path=route)
        self._unwritten += 1
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        await asyncio.sleep(WRITE_EVERY_SECS)
        number, self._unwritten, self._writing = self._unwritten, 0, None
        try:
            await run_in_threadpool(note_refused, self._ledger, number)
        except redis.RedisError:
            self._unwritten += number

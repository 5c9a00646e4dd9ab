"""The body of an order: bounded in size and time while it is read, and JSON."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Final

from starlette.requests import Request

from actorline.errors import Code, Refused
from actorline.gateway.problems import Fault
from actorline.gateway.shares import Shares
from actorline.identifiers import JobKey
from actorline.jobs.document.parse import MAX_INPUT_BYTES
from actorline.jobs.job_key import is_key

MAX_BODY_BYTES: Final = MAX_INPUT_BYTES + 1_000_000  # the second is for the rest of the document
MAX_HELD_BYTES: Final = 12 * MAX_BODY_BYTES
LARGE_BYTES: Final = 65_536  # from this size documents are checked in a thread, one at a time
BODY_SECS: Final = 60.0  # the largest body at 1.4 Mbit/s


class Bodies:
    """Reads bodies and counts their bytes until their orders are accepted, so that memory is bounded."""

    def __init__(self, each_bytes: int) -> None:
        """Limit each API key to `each_bytes` at a time."""
        self._held = Shares("bytes of orders", each=each_bytes, together=MAX_HELD_BYTES)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def read(self, request: Request, holder: str) -> AsyncIterator[bytearray]:
        """Read the body of an order. Raises Fault: 415 if it isn't declared as JSON, 413 as soon as it is too large,
        408 if it arrives too slowly, 429 or 503 if the key, or all keys together, send too much at a time.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Fault(415, Code.REQUEST_INVALID, "The body must be application/json. Nothing was started.")
        if (encoding := request.headers.get("content-encoding", "identity").strip().lower()) != "identity":
            raise Fault(
                415,
                Code.REQUEST_INVALID,
                f"The body must not be compressed; its Content-Encoding is {encoding[:20]!r}. Nothing was started.",
            )
        if int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES:
            raise _too_large()
        body = bytearray()
        try:
            await self._fill(body, request, holder)
            yield body
        finally:
            self._held.give_back(holder, len(body))

    def held(self, body: bytearray, holder: str) -> AbstractContextManager[None]:
        """Count a body that came in a form. Raises Fault: 429 or 503, as `read`."""
        return self._held.held(holder, len(body))

    @asynccontextmanager
    async def turn(self, body: bytearray, *, is_costly: bool = False) -> AsyncIterator[None]:
        """Let one large body through at a time, as parsing takes up to 40 times its size; small ones don't wait, unless
        what they ask for is costly: a batch may cut 32 MB of inputs from a small one, and an estimate reads many jobs.
        """
        if len(body) < LARGE_BYTES and not is_costly:
            yield
            return
        async with self._turn:
            yield

    async def _fill(self, body: bytearray, request: Request, holder: str) -> None:
        try:
            async with asyncio.timeout(BODY_SECS):
                async for block in request.stream():
                    if len(body) + len(block) > MAX_BODY_BYTES:
                        raise _too_large()
                    self._held.take(holder, len(block))
                    body += block
        except TimeoutError:
            raise Fault(
                408,
                Code.REQUEST_INVALID,
                f"The body did not arrive within {BODY_SECS:g} s. Nothing was started. Send it again.",
            ) from None


def parse_json(body: bytes | bytearray) -> Any:
    """Parse with Python's own parser, which keeps integers of any size exact. Raises Refused if it isn't JSON."""
    try:
        return json.loads(body)
    except RecursionError:
        raise Refused(Code.DOCUMENT_INVALID, "The body is nested too deeply. Nothing was started.") from None
    except ValueError as error:
        where = f" at {error.lineno}:{error.colno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise Refused(Code.DOCUMENT_INVALID, f"The body is not JSON{where}. Nothing was started.") from None


def with_key(raw: Any, idempotency_key: str | None) -> Any:
    """Return the document with the key of the header. Raises Refused if it has another one.

    A quoted header (a structured field, as in the IETF draft) and a plain one mean the same.
    """
    if idempotency_key is None or not isinstance(raw, dict):
        return raw
    key = idempotency_key
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    given = raw.get("key")
    if given is not None and given != key:
        raise Refused(
            Code.DOCUMENT_INVALID,
            "The document's key differs from the Idempotency-Key header. Nothing was started. Send only one.",
        )
    return {**raw, "key": key}


def key_in(raw: Any) -> JobKey | None:
    """Return the document's key; None if it has none or an invalid one."""
    key = raw.get("key") if isinstance(raw, dict) else None
    return key if is_key(key) else None


def _too_large() -> Fault:
    message = f"The body has more than {MAX_BODY_BYTES:,} bytes. Nothing was started."
    return Fault(413, Code.DOCUMENT_INVALID, message)

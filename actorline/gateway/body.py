"""The body of an order: bounded in size and time while it is read, and JSON."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from starlette.requests import Request

from actorline.errors import Code, Refused
from actorline.gateway.problems import Fault
from actorline.gateway.shares import Shares
from actorline.jobs.document import MAX_INPUT_BYTES, is_key

MAX_BODY_BYTES: Final = MAX_INPUT_BYTES + 1_000_000  # an input as large as the platform takes, and the rest of an order
MAX_HELD_BYTES: Final = 12 * MAX_BODY_BYTES
LARGE_BYTES: Final = 65_536  # from here on an order is checked beside the event loop, and takes its turn for that
BODY_SECS: Final = 60.0  # the largest body at 1.4 Mbit/s


class Bodies:
    """Reads bodies and counts them, from their first byte until their orders are taken: memory has a bound."""

    def __init__(self, each_bytes: int) -> None:
        """`each_bytes`: the most that an API key may have under way."""
        self._held = Shares("bytes of orders", each=each_bytes, together=MAX_HELD_BYTES)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def read(self, request: Request, holder: str) -> AsyncIterator[bytearray]:
        """Raises Fault: 415 if it isn't declared as JSON, 413 as soon as it is too large, 408 if it comes too slowly,
        429 or 503 if too many come at a time, from the key or from all.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Fault(415, Code.REQUEST_INVALID, "The body must be application/json. Nothing was started.")
        if (encoding := request.headers.get("content-encoding", "identity").strip().lower()) != "identity":
            message = (
                f"The body must not be compressed; its Content-Encoding is {encoding[:20]!r}. Nothing was started."
            )
            raise Fault(415, Code.REQUEST_INVALID, message)
        if int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES:
            raise _too_large()
        body = bytearray()
        try:
            await self._fill(body, request, holder)
            yield body
        finally:
            self._held.give_back(holder, len(body))

    @asynccontextmanager
    async def turn(self, body: bytearray) -> AsyncIterator[None]:
        """From here on an order may take up to 40 times its size: one large one does at a time, and small ones pass."""
        if len(body) < LARGE_BYTES:
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
            message = f"The body did not come within {BODY_SECS:g} s. Nothing was started. Send it again."
            raise Fault(408, Code.REQUEST_INVALID, message) from None


def parse_json(body: bytes | bytearray) -> Any:
    """Python's own parser keeps whole numbers of any size as they are. Raises Refused if it is no JSON."""
    try:
        return json.loads(body)
    except RecursionError:
        message = "The body is nested too deeply. Nothing was started."
        raise Refused(Code.DOCUMENT_INVALID, message) from None
    except ValueError as error:
        where = f" at {error.lineno}:{error.colno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        message = f"The body is not JSON{where}. Nothing was started."
        raise Refused(Code.DOCUMENT_INVALID, message) from None


def with_key(raw: Any, idempotency_key: str | None) -> Any:
    """The document with the key of the header. Raises Refused if it has another one.

    A quoted header (a structured field, as the IETF's draft has it) and a plain one mean the same.
    """
    if idempotency_key is None or not isinstance(raw, dict):
        return raw
    key = idempotency_key
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    given = raw.get("key")
    if given is not None and given != key:
        message = "The document's key is not that of the Idempotency-Key header. Nothing was started. Give one of them."
        raise Refused(Code.DOCUMENT_INVALID, message)
    return {**raw, "key": key}


def key_in(raw: Any) -> str | None:
    """Return the key that an order names; None: it names none, or what can't be one."""
    key = raw.get("key") if isinstance(raw, dict) else None
    return key if is_key(key) else None


def _too_large() -> Fault:
    message = f"The body has more than {MAX_BODY_BYTES:,} bytes. Nothing was started."
    return Fault(413, Code.DOCUMENT_INVALID, message)

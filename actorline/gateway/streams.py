"""Long responses: a limited number at a time; blocks of deliveries are read in their own threads."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from typing import Final, TypeVar

import anyio
from anyio.to_thread import run_sync
from isal import isal_zlib
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from actorline.gateway.shares import Shares

MOST_DOWNLOADS: Final = 100  # each holds a connection and a file
READERS: Final = 8  # threads: enough to keep a disk or a store busy; those of other requests stay free
LOOKERS: Final = 24  # threads for short calls of a store or the platform, which may be slow: two keys can't take all
GZIP: Final = 31  # zlib's window bits for a gzip header
FASTEST: Final = 1


T = TypeVar("T")


class Downloads:
    """Streams blocks: the next is read when the client has taken the last. Whatever waits for a store or the platform
    does so in threads of its own, each API key in a part of them.
    """

    def __init__(self, each: int) -> None:
        self._places = Shares("downloads", each=each, together=MOST_DOWNLOADS)
        self._looks = Shares("reads of stored rows and of logs", each=each, together=MOST_DOWNLOADS)
        self._threads = anyio.CapacityLimiter(READERS)
        self._lookers = anyio.CapacityLimiter(LOOKERS)

    async def look(self, holder: str, call: Callable[[], T]) -> T:
        """Return what a call returns that asks a store or the platform. Raises Fault if the holder has too many under
        way, and what the call raises.
        """
        with self._looks.held(holder):
            return await run_sync(call, limiter=self._lookers)

    @property
    def in_use(self) -> int:
        return self._places.in_use

    async def respond(
        self, holder: str, open_blocks: Callable[[], Iterator[bytes]], headers: Mapping[str, str]
    ) -> Response:
        """Return a response that streams the blocks. Raises Fault if no slot is free, and what opening and the first
        read raise, before the response begins.
        """
        self._places.take(holder)
        try:
            blocks = await run_sync(open_blocks, limiter=self._threads)
            first = await self._next(blocks)
        except BaseException:
            self._places.give_back(holder)
            raise
        return Download(self._from(first, blocks), headers, partial(self._places.give_back, holder))

    async def _from(self, first: bytes | None, blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
        block = first
        while block is not None:
            yield block
            block = await self._next(blocks)

    async def _next(self, blocks: Iterator[bytes]) -> bytes | None:
        return await run_sync(next, blocks, None, limiter=self._threads)


class Download(StreamingResponse):
    """Releases its slot at its end, whatever the cause."""

    def __init__(self, blocks: AsyncIterator[bytes], headers: Mapping[str, str], give_back: Callable[[], None]) -> None:
        super().__init__(blocks, headers=headers)
        self._give_back = give_back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._give_back()


def gzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Compress to one gzip member.

    Stored parts are several members: httpx and wget silently unpack only the first, and curl fails (measured).
    """
    packer = isal_zlib.compressobj(FASTEST, isal_zlib.DEFLATED, GZIP)
    for block in blocks:
        if packed := packer.compress(block):
            yield packed
    yield packer.flush()

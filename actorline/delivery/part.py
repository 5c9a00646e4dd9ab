"""One page of JSON lines becomes one part: bytes are passed through, and one inflating pass verifies them.

No JSON is parsed but the last line, which shows whether the text was cut. gzip members concatenate, so the answers
that make up a window are simply written one after the other.
"""

import gzip
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Protocol

import orjson
from zlib_ng import zlib_ng

from actorline.delivery.windows import Window

BLOCK_BYTES: Final = 256 * 1024  # measured: larger blocks gain nothing (DESIGN, section 8)
INFLATED_BYTES: Final = 1024 * 1024  # bounds memory whatever the ratio of compression
COMPRESSION_LEVEL: Final = 1  # a server that sends plain text is on a fast wire; speed counts
_GZIP: Final = 31  # wbits: gzip header and trailer with CRC
_NEWLINE: Final = gzip.compress(b"\n", mtime=0)
_NOTHING: Final = gzip.compress(b"", mtime=0)


class UnreadablePage(Exception):  # noqa: N818
    """What came is not the page that was asked for; fetching it again may help. Nothing of it is kept."""


class Answer(Protocol):
    """One answer of the platform to a request for items."""

    @property
    def scanned(self) -> int | None: ...
    @property
    def total(self) -> int | None: ...
    @property
    def is_gzip(self) -> bool: ...
    @property
    def content_type(self) -> str: ...
    def blocks(self, size: int) -> Iterator[bytes]: ...
    def close(self) -> None: ...


OpenAnswer = Callable[[int, int], Answer]
"""(offset, limit) -> the answer, to be closed."""


@dataclass
class PartFacts:
    """What was stored: rows, items scanned, stored bytes and their sha256; the last total that the platform named."""

    items: int = 0
    scanned: int = 0
    bytes: int = 0
    sha256: str = ""
    total: int | None = None


@dataclass
class _Part:
    file: BinaryIO
    compress: bool
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    size: int = 0

    def write(self, block: bytes) -> None:
        self.file.write(block)
        self.digest.update(block)
        self.size += len(block)


def download_window(
    open_answer: OpenAnswer,
    window: Window,
    file: BinaryIO,
    *,
    expected: int,
    compress: bool,
    keeps_count: bool,
    keep_alive: Callable[[], None],
) -> PartFacts:
    """Fetch all of a window into `file`, asking for the rest of it as long as there is known to be more.

    `expected`: items that the window has at least. `keeps_count`: no filter drops or multiplies rows, so each scanned
    item must be a line. `keep_alive` is called between blocks and may raise to stop. Raises UnreadablePage (also if
    fewer items come than expected), and what `open_answer` and `blocks` raise.
    """
    part = _Part(file, compress)
    facts = PartFacts()
    while facts.scanned < window.limit:
        limit = window.limit - facts.scanned
        answer = open_answer(window.offset + facts.scanned, limit)
        try:
            lines = _store_answer(answer, part, keep_alive)
            scanned = _scanned(answer, lines, limit, keeps_count=keeps_count)
        finally:
            answer.close()
        facts.items += lines
        facts.scanned += scanned
        facts.total = answer.total if answer.total is not None else facts.total
        known = max(expected, (facts.total or 0) - window.offset)
        if scanned == 0 or facts.scanned >= known:
            break
    if facts.scanned < expected:
        message = f"the window holds {expected:,} items, {facts.scanned:,} came"
        raise UnreadablePage(message)
    if compress and facts.scanned and not part.size:
        part.write(_NOTHING)  # every row was filtered out: still a gzip file
    facts.bytes, facts.sha256 = part.size, part.digest.hexdigest()
    return facts


def inspect_part(file: BinaryIO, *, compressed: bool) -> PartFacts:
    """Rows, bytes and sha256 of a part that lies in the sink. Raises UnreadablePage if it isn't whole."""
    digest, size = hashlib.sha256(), 0
    lines = _Lines()
    inflate = _Inflate() if compressed else None
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
        size += len(block)
        for plain in inflate.feed(block) if inflate else (block,):
            lines.feed(plain)
    if inflate:
        inflate.finish()
    return PartFacts(items=lines.finish(), bytes=size, sha256=digest.hexdigest())


def _store_answer(answer: Answer, part: _Part, keep_alive: Callable[[], None]) -> int:
    """Write one answer to the part; answers its number of lines."""
    if "json" not in answer.content_type:  # application/jsonl, application/x-ndjson, application/json-lines
        message = f"the platform answered {answer.content_type or 'no content type'} in the place of JSON lines"
        raise UnreadablePage(message)
    lines = _Lines()
    inflate = _Inflate() if answer.is_gzip else None
    deflate = zlib_ng.compressobj(COMPRESSION_LEVEL, zlib_ng.DEFLATED, _GZIP) if part.compress and not inflate else None
    for block in answer.blocks(BLOCK_BYTES):
        if inflate and part.compress:
            part.write(block)
        for plain in inflate.feed(block) if inflate else (block,):
            lines.feed(plain)
            if not part.compress:
                part.write(plain)
            elif deflate:
                part.write(deflate.compress(plain))
        keep_alive()
    if inflate:
        inflate.finish()
    count = lines.finish()
    if deflate and count:
        part.write(deflate.compress(b"" if lines.is_ended else b"\n") + deflate.flush())
    elif count and not lines.is_ended:
        part.write(_NEWLINE if part.compress else b"\n")
    return count


def _scanned(answer: Answer, lines: int, limit: int, *, keeps_count: bool) -> int:
    """Items that the answer scanned: its header `X-Apify-Pagination-Count`, held against what came."""
    scanned = answer.scanned
    if scanned is None:
        if not keeps_count:
            raise UnreadablePage("the answer doesn't say how many items it scanned (X-Apify-Pagination-Count)")
        scanned = lines
    if not 0 <= scanned <= limit:
        message = f"the answer scanned {scanned:,} items of a window of {limit:,}"
        raise UnreadablePage(message)
    if keeps_count and lines != scanned:
        message = f"the answer says {scanned:,} items and holds {lines:,} lines"
        raise UnreadablePage(message)
    if not scanned and lines:
        message = f"the answer says that it scanned nothing and holds {lines:,} lines"
        raise UnreadablePage(message)
    return scanned


class _Lines:
    """Counts lines, and keeps the last one until it is known to be whole."""

    def __init__(self) -> None:
        self._count = 0
        self._tail: list[bytes] = []
        self.is_ended = True

    def feed(self, text: bytes) -> None:
        if not text:
            return
        self._count += text.count(b"\n")
        body = text.removesuffix(b"\n")
        cut = body.rfind(b"\n")
        if cut >= 0 or self.is_ended:
            self._tail.clear()
        self._tail.append(body[cut + 1 :])
        self.is_ended = len(body) < len(text)

    def finish(self) -> int:
        if self._tail:
            try:
                orjson.loads(b"".join(self._tail))
            except orjson.JSONDecodeError:
                raise UnreadablePage("the last line is cut or is not JSON") from None
        return self._count + (not self.is_ended)


class _Inflate:
    """Inflates gzip members one after the other, in bounded blocks."""

    def __init__(self) -> None:
        self._member = zlib_ng.decompressobj(_GZIP)
        self._fed = False

    def feed(self, block: bytes) -> Iterator[bytes]:
        data = block
        while data:
            if self._member.eof:
                self._member = zlib_ng.decompressobj(_GZIP)
            try:
                plain = self._member.decompress(data, INFLATED_BYTES)
            except zlib_ng.error as error:  # type: ignore[misc]  # its stub declares an instance
                message = f"the gzip stream is corrupt: {error}"
                raise UnreadablePage(message) from None
            self._fed = True
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if plain:
                yield plain
            elif not data:
                return

    def finish(self) -> None:
        if self._fed and not self._member.eof:
            raise UnreadablePage("the gzip stream is cut")

"""One page becomes one part: the responses that make up a window are read, verified and stored one after the other.

Where a format allows it the bytes are passed through, and one inflating pass verifies them: gzip members concatenate,
so the responses of a window are simply written one after the other.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from isal import isal_zlib

from actorline.delivery.formats.gzip_members import BLOCK_BYTES, StoredFile
from actorline.delivery.formats.json_lines import LinesWithoutFields
from actorline.delivery.formats.text import PageText, UnreadablePage, check_row_size
from actorline.delivery.page_plan import Window
from actorline.inflate import Inflate


class ItemsResponse(Protocol):
    """One response of the platform to a request for items."""

    @property
    def scanned(self) -> int | None: ...
    @property
    def total(self) -> int | None: ...
    @property
    def is_gzip(self) -> bool: ...
    @property
    def is_framed(self) -> bool: ...
    @property
    def content_type(self) -> str: ...
    @property
    def lacks_columns(self) -> bool: ...
    def blocks(self, size: int) -> Iterator[bytes]: ...
    def close(self) -> None: ...


ONE_JSON: Final = "application/json"
"""Not that of lines: `application/jsonl`, `application/x-ndjson`."""

OpenResponse = Callable[[int, int], ItemsResponse]
"""(offset, limit) -> the response, to be closed."""


class CountItems(Protocol):
    def __call__(self, offset: int, limit: int, *, filtered: bool) -> int | None:
        """Return how many items the platform counts in a window, with or without the filter; None: it doesn't say."""


@dataclass
class PartFacts:
    """What was stored: rows, items scanned, stored bytes and their sha256; the last total that the platform named.

    `text_crc`: CRC-32 of the text in the file, which is the same for the same rows however they were compressed.
    """

    items: int = 0
    scanned: int = 0
    bytes: int = 0
    sha256: str = ""
    text_crc: int = 0
    total: int | None = None


def download_window(
    open_response: OpenResponse,
    window: Window,
    file: BinaryIO,
    *,
    text: PageText,
    expected: int,
    compress: bool,
    keeps_count: bool,
    keep_alive: Callable[[], None],
    count_items: CountItems | None = None,
) -> PartFacts:
    """Fetch all of a window into `file`, asking for the rest of it as long as there is known to be more.

    `text`: a fresh one of the format. `expected`: items that the window has at least. `keeps_count`: no filter drops
    or multiplies rows, so each scanned item must be a row. `keep_alive` is called between blocks and may raise to
    stop. Raises UnreadablePage (also if fewer items come than expected), and what `open_response` and `blocks` raise.
    """
    page = _Page(StoredFile(file, compress=compress), text)
    facts = PartFacts()
    while facts.scanned < window.limit:
        offset, limit = window.offset + facts.scanned, window.limit - facts.scanned
        response = open_response(offset, limit)
        try:
            if not (response.is_gzip or response.is_framed or (keeps_count and text.shows_cuts)):
                raise UnreadablePage(
                    "the response has neither a length nor a checksum: it can't be verified as complete"
                )
            rows = page.store(response, keep_alive)
        finally:
            response.close()
        has = max(min(max(window.offset + expected, response.total or 0) - offset, limit), 0)
        counted = response.scanned
        if count_items and counted is None and not (keeps_count and text.counts_exactly):
            counted = _count_instead(count_items, offset, limit, has)
        elif count_items and not keeps_count and counted == rows != has:
            counted = _count_before_filter(count_items, rows, offset, limit, has)
        scanned = _scanned(response, counted, rows, limit, text, keeps_count=keeps_count)
        facts.items += scanned if keeps_count else rows
        facts.scanned += scanned
        facts.total = response.total if response.total is not None else facts.total
        known = max(expected, (facts.total or 0) - window.offset)
        if scanned == 0 or facts.scanned >= known:
            break
    if facts.scanned < expected:
        raise UnreadablePage(f"the window holds {expected:,} items, but {facts.scanned:,} arrived")
    if facts.scanned:
        page.close()
    facts.bytes, facts.sha256, facts.text_crc = page.file.size, page.file.sha256, page.crc
    return facts


def inspect_part(file: BinaryIO, *, text: PageText, compressed: bool) -> PartFacts:
    """Return rows, bytes and sha256 of a part that is stored in the sink; `text` reads what is stored. Raises
    UnreadablePage if it isn't whole.
    """
    digest, size, crc = hashlib.sha256(), 0, 0
    inflate = Inflate(UnreadablePage) if compressed else None
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
        size += len(block)
        for plain in inflate.feed(block) if inflate else (block,):
            text.feed(plain)
            crc = isal_zlib.crc32(plain, crc)
    if inflate:
        inflate.finish()
    _, rows = text.end()
    return PartFacts(items=rows, bytes=size, sha256=digest.hexdigest(), text_crc=crc)


@dataclass
class _Page:
    """The file that a window's responses go into."""

    file: StoredFile
    text: PageText
    has_head: bool = False
    crc: int = 0

    def store(self, response: ItemsResponse, keep_alive: Callable[[], None]) -> int:
        """Add one response; returns its number of rows."""
        text = LinesWithoutFields() if response.lacks_columns else self.text
        _check_type(response.content_type, text)
        inflate = Inflate(UnreadablePage) if response.is_gzip else None
        copies = response.is_gzip and self.file.compress and text.passes_through
        waiting, has_text = b"", False  # a copy of white space alone would be stored
        for block in response.blocks(BLOCK_BYTES):
            for plain in inflate.feed(block) if inflate else (block,):
                stored = text.feed(plain)
                has_text = has_text or bool(stored)
                if copies:
                    self._count(stored)
                else:
                    self._write(stored)
            if copies:
                waiting += block
                check_row_size(len(waiting))
            if waiting and has_text:
                self.file.copy(waiting)
                waiting = b""
            keep_alive()
        if inflate:
            inflate.finish()
            if not inflate.is_fed and response.scanned != 0:
                raise UnreadablePage("the gzip stream is cut short before its first byte")
        rest, rows = text.end()
        self._write(rest)
        return rows

    def close(self) -> None:
        self._begin()
        self.file.write_apart(self.text.tail)
        self._count(self.text.tail)
        self.file.close()

    def _write(self, text: bytes) -> None:
        if text:
            self._begin()
            self.file.write(text)
            self._count(text)

    def _begin(self) -> None:
        if not self.has_head:
            self.file.write_apart(self.text.head)
            self._count(self.text.head)
            self.has_head = True

    def _count(self, text: bytes) -> None:
        self.crc = isal_zlib.crc32(text, self.crc)


def _check_type(content_type: str, text: PageText) -> None:
    if not any(word in content_type.lower() for word in text.media_types):
        raise UnreadablePage(f"the platform sent {content_type or 'no content type'} instead of {text.name}")


def _scanned(
    response: ItemsResponse, scanned: int | None, rows: int, limit: int, text: PageText, *, keeps_count: bool
) -> int:
    """Return the number of items that the response scanned, which is checked against what came.

    `scanned`: as the response says (`X-Apify-Pagination-Count`), or was found out; None: then the rows are counted. No
    response without a count may be one JSON text: an error of something in between, with status 200, is no row.
    """
    if scanned is None and keeps_count and text.counts_exactly:
        scanned = rows
    if scanned is None or (response.scanned is None and _media_type(response) == ONE_JSON):
        raise UnreadablePage("the response doesn't say how many items it scanned (X-Apify-Pagination-Count)")
    if not 0 <= scanned <= limit:
        raise UnreadablePage(f"the response scanned {scanned:,} items of a window of {limit:,}")
    if keeps_count and (rows != scanned if text.counts_exactly else rows < scanned):
        raise UnreadablePage(f"the response says {scanned:,} items but holds {rows:,} rows of {text.name}")
    if not scanned and rows:
        raise UnreadablePage(f"the response says that it scanned nothing but holds {rows:,} rows")
    return scanned


def _count_instead(count_items: CountItems, offset: int, limit: int, has: int) -> int | None:
    """Return how many items a response scanned that doesn't say it, where its rows don't tell; None: the platform
    doesn't say that of the window either.

    Only as many as the window `has` were surely there before the response: others may have come since, and wouldn't be
    among its rows. Raises UnreadablePage then, also where fewer are counted: another replica may lag behind the one
    that made the response. The window is read again later.
    """
    items = count_items(offset, limit, filtered=False)
    if items not in {None, has}:
        raise UnreadablePage(
            "the response doesn't say how many items it scanned (X-Apify-Pagination-Count), and that can't be told "
            f"yet: the platform counts {items:,} in the window, of which {has:,} are known"
        )
    return items


def _count_before_filter(count_items: CountItems, rows: int, offset: int, limit: int, has: int) -> int:
    """Return how many items a filtered response scanned, whose count is that of its rows, and isn't what the window
    `has` as far as is known: a platform may count items or rows (`docs/platform-facts.md#pagination-headers`).

    Where so many items are counted alike with the filter and without it, the response has exactly their rows. Raises
    UnreadablePage where rows are counted and items may have come in the meantime: it is read again later.
    """
    probe = min(rows, limit) or limit
    with_filter, without = (count_items(offset, probe, filtered=filtered) for filtered in (True, False))
    if None in {with_filter, without} or with_filter == without:
        return rows
    items = count_items(offset, limit, filtered=False)
    if items is None or items > has:
        raise UnreadablePage(f"the response counts its {rows:,} rows, and how many items it scanned can't be told yet")
    return items


def _media_type(response: ItemsResponse) -> str:
    return response.content_type.partition(";")[0].strip().lower()

"""The page plan: which windows of a dataset are fetched, and when the whole is proven.

A window is `[offset, offset + limit)` over *scanned* items. It is fixed before it is first fetched and never changes.
Filters act after the window, so a short page is not the end (`docs/platform-facts.md#windows`). Pure: no I/O.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

from pydantic import BaseModel, ConfigDict

from actorline.delivery.receipt import Receipt

PAGE_BYTES: Final = 16_000_000  # between 8 and 32 MB on the wire: an ack costs 3 ms, a lost page is cheap to repeat
PAGE_ITEMS_MAX: Final = 249_999  # docs/platform-facts.md#page-size
PAGE_ITEMS_MIN: Final = 1_000  # the official client's page
PARALLEL_PAGES: Final = 16  # as many as a worker fetches at a time
WAVE_PAGES: Final = 256  # pages in one chord: bounds the size of a message and the work that one plan decides


class Window(BaseModel):
    """One page, numbered in the order of the rows."""

    model_config = ConfigDict(frozen=True)

    page_no: int
    offset: int
    limit: int


Pages = Mapping[int, Window | Receipt]


@dataclass(frozen=True)
class Proof:
    """The rows are all here: offsets without gaps up to `end`, behind which a read found nothing."""

    end: int


@dataclass(frozen=True)
class Gap:
    """Pages whose receipts contradict each other or are bad."""

    page_nos: Sequence[int]
    why: str


@dataclass(frozen=True)
class More:
    """All here without gaps up to `end`, and what comes behind it has not been read."""

    end: int


def item_bytes(pages: Pages, *, total: int, storage_bytes: int | None) -> float | None:
    """Return the bytes per item: of those stored, else by what the platform says of the dataset; None if unknown."""
    stored = [page for page in pages.values() if _has_rows(page)]
    if stored:
        return max(sum(page.bytes for page in stored) / sum(page.scanned for page in stored), 1)
    return max(storage_bytes / total, 1) if total and storage_bytes else None


def full_page(bytes_per_item: float | None) -> int:
    """Return the items of a page of about PAGE_BYTES; few while the size of an item is unknown."""
    return PAGE_ITEMS_MIN if bytes_per_item is None else max(min(int(PAGE_BYTES / bytes_per_item), PAGE_ITEMS_MAX), 1)


def page_size(*, total: int, bytes_per_item: float | None, asked: int | None) -> int:
    """Return the items per page: as the order has it, else about a full page, so that a worker's threads share `total`
    evenly: with 19 pages for 16 threads most of them would wait for the last three.
    """
    if asked:
        return asked
    full = full_page(bytes_per_item)
    rounds = max(round(total / (PARALLEL_PAGES * full)), 1)
    even = -(-total // (PARALLEL_PAGES * rounds))
    return min(max(even, min(full, PAGE_ITEMS_MIN)), PAGE_ITEMS_MAX)


def wave_pages(bytes_per_item: float | None) -> int:
    """Return how many pages may be planned at once: with items of unknown size a few, which then tell it."""
    return PARALLEL_PAGES if bytes_per_item is None else WAVE_PAGES


def next_offset(pages: Pages, start: int) -> int:
    """Return where the window after the last one begins: behind what it scanned, or behind its limit while it has no
    rows.

    An empty end and a page that failed are fetched again, so what is in their windows belongs to them.
    """
    if not pages:
        return start
    last = pages[max(pages)]
    return last.offset + (last.scanned if _has_rows(last) else last.limit)


def known_end(pages: Pages) -> int:
    """Return how far the dataset is known to reach, by the rows that are stored."""
    return max((page.offset + page.scanned for page in pages.values() if _has_rows(page)), default=0)


def stored_in_a_row(pages: Pages, start: int) -> list[Receipt]:
    """Return the stored pages from the first row on, up to the first that isn't: their rows have their numbers."""
    found, offset = [], start
    for _, page in sorted(pages.items()):
        if not _has_rows(page) or page.offset != offset:
            break
        found.append(page)
        offset += page.scanned
    return found


def to_fetch(pages: Pages) -> list[Window]:
    """Return the windows that are fixed but not stored, and an empty end that must be read again."""
    return [
        Window(page_no=no, offset=page.offset, limit=page.limit) for no, page in pages.items() if not _has_rows(page)
    ]


def not_failed(pages: Pages) -> list[Window]:
    """Return the windows to fetch that weren't asked for in vain: those that were come last, and don't hold up the
    others.
    """
    failed = {no for no, page in pages.items() if isinstance(page, Receipt) and not page.is_good}
    return [window for window in to_fetch(pages) if window.page_no not in failed]


def short_pages(pages: Pages) -> list[Receipt]:
    """Return stored pages that reached the dataset's end as it was when they were read."""
    return [page for page in pages.values() if _has_rows(page) and page.scanned < page.limit]


def has_caught_up(pages: Pages, end: int | None) -> bool:
    """Return whether a dataset that may still grow was read to its last row, which is behind `end`."""
    last = pages[max(pages)] if pages else None
    return end is not None and last in short_pages(pages) and known_end(pages) >= end


def new_windows(pages: Pages, *, start: int, total: int, stop: int | None, size: int, room: int) -> list[Window]:
    """Return the windows behind the planned ones up to `total`, at least one if nothing else needs to be fetched.

    `start` and `stop`: the order's own bounds in the dataset. `total` lags behind, so what is past it is read as
    well, until a window scans nothing.
    """
    windows: list[Window] = []
    offset = next_offset(pages, start)
    number = max(pages, default=-1) + 1
    end = min(total, stop) if stop is not None else total
    while len(windows) < room and (offset < end or (not windows and not to_fetch(pages) and _open(offset, stop))):
        limit = min(size, stop - offset) if stop is not None else size
        windows.append(Window(page_no=number, offset=offset, limit=limit))
        number, offset = number + 1, offset + limit
    return windows


def full_windows(pages: Pages, *, start: int, total: int, stop: int | None, size: int) -> list[Window]:
    """Return the full pages behind the planned ones that a dataset already holds while it is still growing."""
    end = min(total, stop) if stop is not None else total
    first, number = next_offset(pages, start), max(pages, default=-1) + 1
    count = min(max(end - first, 0) // size, WAVE_PAGES)
    return [Window(page_no=number + at, offset=first + at * size, limit=size) for at in range(count)]


def expected_items(window: Window, pages: Pages, total: int) -> int:
    """Return how many items the window must scan at least: all of it if another one follows, else what the platform
    said.
    """
    if window.page_no < max(pages):
        return window.limit
    return max(min(total - window.offset, window.limit), 0)


def judge(pages: Pages, *, start: int, stop: int | None) -> Proof | Gap | More:
    """Return whether the receipts prove that everything in `[start, stop)` is stored: without gaps up to a read of
    nothing.
    """
    bad = [no for no, page in pages.items() if not isinstance(page, Receipt) or not page.is_good]
    if bad:
        return Gap(bad, "not stored")
    receipts = [page for _, page in sorted(pages.items()) if isinstance(page, Receipt)]
    if not receipts:
        return More(start) if _open(start, stop) else Proof(start)
    offset = start
    for receipt in receipts:
        if receipt.offset != offset:
            return Gap([receipt.page_no], f"begins at {receipt.offset}, not at {offset}")
        offset += receipt.scanned
    last = receipts[-1]
    if last.scanned == 0 or last.ends or (stop is not None and offset >= stop):
        return Proof(offset)
    return More(offset)


def _has_rows(page: Window | Receipt) -> TypeGuard[Receipt]:
    return isinstance(page, Receipt) and page.is_good and page.scanned > 0


def _open(offset: int, stop: int | None) -> bool:
    return stop is None or offset < stop

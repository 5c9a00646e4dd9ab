"""Formats that can't be cut into pages: one response is one file, passed through; its end is checked.

How the platform writes an item is its own affair, so rows are counted by the tags that each must have: a file with
fewer than the response names is refused, one with more is not.
"""

import os
import re
import tempfile
import weakref
import zipfile
import zlib
from typing import IO, Final

from actorline.delivery.formats.gzip_members import BLOCK_BYTES
from actorline.delivery.formats.text import UnreadablePage

TAIL_BYTES: Final = 1024  # more than any end of a file that is looked for
MEMBERS_MAX: Final = 10_000  # a workbook has a dozen
INFLATED_BYTES_MAX: Final = 1024**3  # beyond that by INFLATED_RATIO_MAX: 249,999 rows may be larger, but not of nothing
INFLATED_RATIO_MAX: Final = 100  # a table of the platform's shrinks to a tenth; a bomb to a thousandth
_SPACE_IN_END: Final = re.compile(rb"\s+/>$")  # XML lets an empty element be written so (`EmptyElemTag`)


class _OneResponse:
    """Refuses a second response: two files one after the other make no valid file."""

    passes_through = True
    counts_exactly = False
    shows_cuts = True
    head = tail = b""

    def __init__(self, name: str, *media_types: str) -> None:
        self.name = name
        self.media_types = media_types
        self._has_ended = False

    def _begin_block(self) -> None:
        if self._has_ended:
            raise UnreadablePage(
                f"the platform's response came in pieces, and pieces of {self.name} don't make one file; use jsonl"
            )


class Markup(_OneResponse):
    """xml, rss or html: ends with one of `ends`, and opens `row` for each item (and for the `headers` before them)."""

    def __init__(self, name: str, *media_types: str, row: str, ends: tuple[str, ...], headers: int = 0) -> None:
        super().__init__(name, *media_types)
        self._tag = re.compile(b"<%b[\\s/>]" % re.escape(row.encode()))
        self._overlap = len(row) + 1  # one byte less than a match: none is counted twice
        self._ends = tuple(end.encode() for end in ends)
        self._count = -headers
        self._rest = b""

    def feed(self, plain: bytes) -> bytes:
        self._begin_block()
        text = self._rest[-self._overlap :] + plain
        self._count += len(self._tag.findall(text))
        self._rest = (self._rest + plain)[-TAIL_BYTES:]
        return plain

    def end(self) -> tuple[bytes, int]:
        self._begin_block()
        self._has_ended = True
        if not _SPACE_IN_END.sub(b"/>", self._rest.rstrip()).endswith(self._ends):
            raise UnreadablePage(
                f"the {self.name} is cut short: it doesn't end with {' or '.join(end.decode() for end in self._ends)}"
            )
        return b"", max(self._count, 0)


class Workbook(_OneResponse):
    """xlsx: a zip archive, which is read as a whole from a file aside; its checksums prove it."""

    def __init__(self) -> None:
        super().__init__("XLSX", "spreadsheetml", "ms-excel")
        self._aside: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it is counted, or with this
        weakref.finalize(self, self._aside.close)

    def feed(self, plain: bytes) -> bytes:
        self._begin_block()
        self._aside.write(plain)
        return plain

    def end(self) -> tuple[bytes, int]:
        self._begin_block()
        self._has_ended = True
        try:
            with self._aside, zipfile.ZipFile(self._aside) as book:
                _refuse_bomb(book, self._aside.seek(0, os.SEEK_END))
                rows = sum(_rows(book, name) for name in book.namelist())
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UnreadablePage(f"the XLSX is cut or corrupt: {error}") from None
        return b"", max(rows - 1, 0)  # the header


def _refuse_bomb(book: zipfile.ZipFile, size_bytes: int) -> None:
    """Refuse a book that inflates too far. No member inflates to more than the directory says: `zipfile` reads no
    further.
    """
    members = book.infolist()
    inflated = sum(member.file_size for member in members)
    if len(members) > MEMBERS_MAX or inflated > max(INFLATED_BYTES_MAX, INFLATED_RATIO_MAX * size_bytes):
        raise UnreadablePage(
            f"the XLSX of {size_bytes:,} bytes has {len(members):,} members, which inflate to {inflated:,} bytes"
        )


def _rows(book: zipfile.ZipFile, name: str) -> int:
    """Return the rows in one member, which is read to its end: that checks its CRC."""
    counter = Markup("XLSX", row="row", ends=("",))
    with book.open(name) as member:
        while block := member.read(BLOCK_BYTES):
            counter.feed(block)
    return counter.end()[1] if name.startswith("xl/worksheets/") else 0

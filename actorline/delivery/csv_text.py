"""CSV as the platform writes it: RFC 4180, with quotes round delimiters, quotes and line ends.

The header of an answer names the columns of *its* items only. So each page is asked for with its header, which is
stored as the first record, a gzip member of its own, and every record is held against it. How pages with different
headers become one table is decided when all of them are known (`csv_table`).
"""

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from actorline.delivery.page_text import UnreadablePage

BOM: Final = "\ufeff".encode()
RECORD_BYTES_MAX: Final = 64 * 1024 * 1024  # an item has at most 9 MB (fact sheet, section 6); more is a lost quote
WRITTEN_BYTES: Final = 1_000_000

csv.field_size_limit(sys.maxsize)  # or the module refuses a field of more than 128 kB


class CsvText:
    """Parses every record of the answers, so that none is stored that doesn't fit its header."""

    name = "CSV"
    media_types = ("csv",)
    passes_through = False
    counts_exactly = True
    shows_cuts = False  # the last field may be shorter than it was
    tail = b""

    def __init__(self, delimiter: str = ",") -> None:
        self._delimiter = delimiter
        self._columns: list[str] | None = None
        self.head = b"\n"
        self._begin()

    def _begin(self) -> None:
        self._rest = b""
        self._rows = 0
        self._in_header = True

    def feed(self, plain: bytes) -> bytes:
        text = self._rest + plain
        end = records_end(text)
        self._rest = text[end:]
        if len(self._rest) > RECORD_BYTES_MAX:
            raise UnreadablePage("a quote in the CSV is never closed")
        return self._take(text[:end])

    def end(self) -> tuple[bytes, int]:
        rest = self._take(self._rest + b"\n" if self._rest else b"")
        rows = self._rows
        self._begin()
        return rest, rows

    def _take(self, text: bytes) -> bytes:
        """Whole records; the header is kept and taken off."""
        if text and self._in_header:
            self._in_header = False
            text = text.removeprefix(BOM)
            end = record_end(text)
            self._take_header(text[:end])
            text = text[end:]
        self._count(text)
        return text

    def _take_header(self, text: bytes) -> None:
        columns = next(read_records(text, self._delimiter), [])
        if not self._columns:
            self._columns, self.head = columns, text
        elif columns and columns != self._columns:
            message = (
                "the platform answered one page in pieces with different columns; order again with a smaller "
                "collect.page_items"
            )
            raise UnreadablePage(message)

    def _count(self, text: bytes) -> None:
        """A record without any field is an item that has none of the columns."""
        widths = Counter(map(len, read_records(text, self._delimiter)))
        expected = len(self._columns or ())
        wrong = next((width for width in widths if width not in {expected, 0}), None)
        if wrong is not None and (wrong, expected) != (1, 0):
            message = f"a record of the CSV has {wrong} fields under a header of {expected}"
            raise UnreadablePage(message)
        self._rows += widths.total()


def read_records(text: bytes, delimiter: str) -> Iterator[list[str]]:
    """The records of a text that ends with one. Raises UnreadablePage."""
    try:
        yield from csv.reader(io.StringIO(text.decode(), newline=""), delimiter=delimiter, strict=True)
    except (csv.Error, UnicodeDecodeError) as error:
        message = f"the CSV can't be read: {error}"
        raise UnreadablePage(message) from None


def record_end(text: bytes) -> int:
    """Where the first record ends: behind its newline, which is the first one outside of quotes; 0: it doesn't end."""
    end = 0
    while end := text.find(b"\n", end) + 1:
        if text.count(b'"', 0, end) % 2 == 0:
            return end
    return 0


def records_end(text: bytes) -> int:
    """Where the last whole record ends; 0: there is none."""
    end = len(text)
    while (end := text.rfind(b"\n", 0, end)) >= 0:
        if text.count(b'"', 0, end) % 2 == 0:
            return end + 1
        end = text.rfind(b'"', 0, end)  # the newline is inside of a field; that one begins here or before
    return 0


def whole_records(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same text, cut behind records."""
    rest = b""
    for block in blocks:
        rest += block
        end = records_end(rest)
        yield rest[:end]
        rest = rest[end:]
    yield rest


def write_records(records: Iterable[list[str]], delimiter: str, line_end: str) -> Iterator[bytes]:
    """Text of records, in blocks. With a bare newline for line end the csv module would leave a carriage return
    without quotes, which no reader takes.
    """
    made = io.StringIO()
    plain = csv.writer(made, delimiter=delimiter, lineterminator=line_end)
    quoting = csv.writer(made, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    for record in records:
        (quoting if "\r" in "".join(record) else plain).writerow(record)
        if made.tell() > WRITTEN_BYTES:
            yield made.getvalue().encode()
            made.seek(0)
            made.truncate()
    yield made.getvalue().encode()

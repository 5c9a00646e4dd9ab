"""CSV as the platform writes it: RFC 4180, with quotes round delimiters, quotes and line ends.

The header of a response names the columns of *its* items only. So each page is asked for with its header, which is
stored as the first record, a gzip member of its own, and every record is checked against it. How pages with different
headers become one table is decided when all of them are known (`csv_assembly.py`).
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from actorline.delivery.formats.text import ROW_BYTES_MAX, UnreadablePage

BOM: Final = "\ufeff".encode()
WRITTEN_BYTES: Final = 1_000_000

csv.field_size_limit(ROW_BYTES_MAX)  # or the module refuses a field of more than 128 kB


class CsvText:
    """Parses every record of the responses, so that none is stored that doesn't fit its header."""

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
        self._cutter = RecordCutter()
        self._rows = 0
        self._in_header = True

    def feed(self, plain: bytes) -> bytes:
        return self._take(self._cutter.feed(plain))

    def end(self) -> tuple[bytes, int]:
        last = self._cutter.end()
        rest = self._take(last + b"\n" if last else b"")
        rows = self._rows
        self._begin()
        return rest, rows

    def _take(self, text: bytes) -> bytes:
        """Return whole records, without the header, which is remembered."""
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
            raise UnreadablePage(
                "the platform sent one page in pieces with different columns; order again with a smaller "
                "collect.page_items"
            )

    def _count(self, text: bytes) -> None:
        """Count the records. A record without any field is an item that has none of the columns."""
        widths = Counter(map(len, read_records(text, self._delimiter)))
        expected = len(self._columns or ())
        wrong = next((width for width in widths if width not in {expected, 0}), None)
        if wrong is not None and (wrong, expected) != (1, 0):
            raise UnreadablePage(f"a record of the CSV has {wrong} fields under a header of {expected}")
        self._rows += widths.total()


def read_records(text: bytes, delimiter: str) -> Iterator[list[str]]:
    """Yield the records of a text that ends with one. Raises UnreadablePage."""
    try:
        yield from csv.reader(io.StringIO(text.decode(), newline=""), delimiter=delimiter, strict=True)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadablePage(f"the CSV can't be read: {error}") from None


class RecordCutter:
    """Cuts a text that comes in blocks behind its whole records. No byte is looked at again when the next block comes:
    of a record that is still open its blocks are kept, and whether its end is inside of quotes.
    """

    def __init__(self) -> None:
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._is_inside = False

    def feed(self, block: bytes) -> bytes:
        """Return what is whole by now. Raises UnreadablePage for a record that is too large to be one."""
        end = records_end(block, is_inside=self._is_inside)
        self._is_inside ^= block.count(b'"') % 2 == 1
        whole = b"".join((*self._open, block[:end])) if end else b""
        if end:
            self._open, self._open_bytes = [], 0
        self._open.append(block[end:])
        self._open_bytes += len(block) - end
        if self._open_bytes > ROW_BYTES_MAX:
            raise UnreadablePage(
                f"a record of the CSV has more than {ROW_BYTES_MAX:,} bytes, or a quote is never closed"
            )
        return whole

    def end(self) -> bytes:
        """Return the text behind the last whole record."""
        return b"".join(self._open)


def record_end(text: bytes) -> int:
    """Return where the first record ends: behind its newline, which is the first one outside of quotes; 0: it doesn't
    end.
    """
    quotes = start = 0
    while end := text.find(b"\n", start) + 1:
        quotes += text.count(b'"', start, end)
        if quotes % 2 == 0:
            return end
        start = end
    return 0


def records_end(text: bytes, *, is_inside: bool = False) -> int:
    """Return where the last whole record ends; 0: there is none. `is_inside`: the text begins inside of quotes."""
    quotes = text.count(b'"') + is_inside
    end = len(text)
    while (newline := text.rfind(b"\n", 0, end)) >= 0:
        quotes -= text.count(b'"', newline, end)
        if quotes % 2 == 0:
            return newline + 1
        end = text.rfind(b'"', 0, newline)  # the newline is inside of a field, which begins at this quote or before
        if end < 0:
            return 0
        quotes -= 1
    return 0


def whole_records(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same text, cut behind records. Raises UnreadablePage."""
    cutter = RecordCutter()
    for block in blocks:
        yield cutter.feed(block)
    yield cutter.end()


def write_records(records: Iterable[list[str]], delimiter: str, line_end: str) -> Iterator[bytes]:
    """Yield text of records, in blocks. With a bare newline for line end the csv module would leave a carriage return
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

"""JSON lines: stored as they come, or as one JSON array.

Lines can be counted, and a cut one noticed, without parsing a single item; items of an array can't. So an array is made
from lines: a newline is never inside of JSON, and each one becomes a comma and a newline.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import orjson
import stringzilla

from actorline.delivery.formats.deep_json import is_closed, parse_deep
from actorline.delivery.formats.text import UnreadablePage, check_row_size

ARRAY_HEAD: Final = b"[\n"
ARRAY_BORDER: Final = b",\n"
ARRAY_TAIL: Final = b"\n]\n"
_DIGITS: Final = bytes(ord("0") if code in b"0123456789" else ord(" ") for code in range(256))
_LONG_NUMBER: Final = b"0" * 19
PARSED_BYTES_MAX: Final = 1024 * 1024  # as Python values a line may take thirty times its size


class JsonLines:
    """Counts lines, and keeps the last one until it is known to be whole. Passed through.

    White space at the beginning is held back: where nothing follows, as in an empty page that is one newline, it is no
    row and isn't stored.
    """

    name = "JSON lines"
    media_types = ("json",)  # application/jsonl, application/x-ndjson, application/json-lines
    passes_through = True
    counts_exactly = True
    shows_cuts = True
    head = tail = b""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._count = 0
        self._last: list[bytes] = []
        self._last_bytes = 0
        self._is_ended = True
        self._is_blank = True
        self._held = b""

    def feed(self, plain: bytes) -> bytes:
        if self._is_blank:
            plain = self._held + plain
            self._is_blank = not plain or plain.isspace()
            self._held = plain if self._is_blank else b""
            check_row_size(len(self._held))
        if self._is_blank or not plain:
            return b""
        # `in` and `count` look at one byte at a time: together they would take as long as inflating
        if stringzilla.find(plain, b"\n\n") >= 0 or (self._is_ended and plain.startswith(b"\n")):
            raise UnreadablePage("a line is empty")
        self._count += stringzilla.count(plain, b"\n")
        end = len(plain) - plain.endswith(b"\n")  # not `removesuffix`: a copy of each block is a tenth of the CPU
        cut = plain.rfind(b"\n", 0, end)
        if cut >= 0 or self._is_ended:
            self._last.clear()
            self._last_bytes = 0
        self._last.append(plain[cut + 1 : end])
        self._last_bytes += end - cut - 1
        check_row_size(self._last_bytes)
        self._is_ended = end < len(plain)
        return plain

    def end(self) -> tuple[bytes, int]:
        if self._last and not is_whole(b"".join(self._last)):
            raise UnreadablePage("the last line is cut short or is not JSON")
        rest, count = b"" if self._is_ended else b"\n", self._count + (not self._is_ended)
        self._begin()
        return rest, count


class LinesWithoutFields(JsonLines):
    """Lines of which each is `{}`, for a table in which no row has a column: each becomes an empty record of csv.

    A row with a field came between the table and the lines, so the page is read again.
    """

    passes_through = False

    def feed(self, plain: bytes) -> bytes:
        if plain.translate(None, b"{} \t\r\n"):
            raise UnreadablePage("the platform says that no row has a column, and sends rows that have fields")
        return super().feed(plain).translate(None, b"{} \t\r")


class JsonArray:
    """Lines that become one array over all responses: `[`, an item a line with a comma behind all but the last, `]`."""

    name = "JSON lines"
    media_types = JsonLines.media_types
    passes_through = False
    counts_exactly = True
    shows_cuts = True
    head, tail = ARRAY_HEAD, ARRAY_TAIL

    def __init__(self) -> None:
        self._lines = JsonLines()
        self._border = b""

    def feed(self, plain: bytes) -> bytes:
        """Take a block; the border behind an item is held back until the next one comes."""
        plain = self._lines.feed(plain)
        if not plain:
            return b""
        body = plain.removesuffix(b"\n")
        stored = self._border + body.replace(b"\n", ARRAY_BORDER)
        self._border = ARRAY_BORDER if len(body) < len(plain) else b""
        return stored

    def end(self) -> tuple[bytes, int]:
        rest, count = self._lines.end()
        if rest:
            self._border = ARRAY_BORDER
        return b"", count


class StoredArray:
    """An array as `JsonArray` stores it, counted again."""

    name = "a JSON array"
    media_types = ()
    passes_through = True
    counts_exactly = True
    shows_cuts = True
    head = tail = b""

    def __init__(self) -> None:
        self._newlines = 0
        self._start = self._end = b""

    def feed(self, plain: bytes) -> bytes:
        self._newlines += stringzilla.count(plain, b"\n")
        self._start = (self._start + plain[:3])[:3]
        self._end = (self._end + plain[-4:])[-4:]
        return plain

    def end(self) -> tuple[bytes, int]:
        if not (self._start.startswith(ARRAY_HEAD) and self._end.endswith(ARRAY_TAIL)):
            raise UnreadablePage("the array is incomplete")
        is_empty = self._newlines == (ARRAY_HEAD + ARRAY_TAIL).count(b"\n") and self._start.endswith(b"\n\n")
        return b"", 0 if is_empty else self._newlines - 2


def array_rows(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Return the items of arrays as `JsonArray` stores them, from their lines without newlines."""
    return (line.removesuffix(b",") for line in lines if line not in {b"[", b"", b"]"})


def parse_row(line: bytes) -> Any:
    """Parse one item. orjson refuses half surrogates, which JavaScript writes, and numbers beyond a double, and makes
    floats of whole numbers beyond 64 bits; `json` doesn't. Neither goes as deep as an item may be nested.

    Raises ValueError.
    """
    if not has_long_number(line):
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(line)
    try:
        return json.loads(line)
    except RecursionError:
        return parse_deep(line)


def has_long_number(line: bytes) -> bool:
    """Return whether a number may have more digits than 64 bits hold. A tenth of the time of a regular expression."""
    return _LONG_NUMBER in line.translate(_DIGITS)


def is_whole(line: bytes) -> bool:
    """Return whether a line is one JSON text; of a long one, whether it is closed."""
    if len(line) > PARSED_BYTES_MAX:
        return is_closed(line)
    try:
        parse_row(line)
    except ValueError:
        return False
    return True

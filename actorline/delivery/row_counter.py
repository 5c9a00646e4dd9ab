"""Rows are looked at as they pass by: what is counted of them goes into the page's receipt, and nothing is changed.

Some rows are parsed at a time, and each field is then looked at in all of them: a loop for each row and field took
three times as long.
"""

import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import stringzilla

from actorline.delivery.formats.json_lines import PARSED_BYTES_MAX, parse_row
from actorline.delivery.formats.text import PageText
from actorline.delivery.row_counts import FIRST_ROWS, Flaw, JsonType, RowCounts

ROWS_AT_ONCE: Final = 128  # Python values take up to thirty times the text, in each of sixteen threads
_LARGE_ROWS: Final = threading.Lock()
"""One at a time is parsed: a row of 9 MB may take 300 MB as Python values."""
_TYPES: Final[Mapping[JsonType, frozenset[type]]] = {
    "string": frozenset({str}),
    "number": frozenset({int, float}),
    "integer": frozenset({int}),
    "boolean": frozenset({bool}),
    "array": frozenset({list}),
    "object": frozenset({dict}),
}
Row = Mapping[str, Any]


@dataclass(frozen=True)
class RowLook:
    """What is looked at in each row, by dotted paths. `key`: the fields that together are a row's key."""

    required: Sequence[str] = ()
    types: Mapping[str, JsonType] = field(default_factory=dict)
    key: Sequence[str] = ()
    matches: Mapping[str, Any] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        return list(dict.fromkeys([*self.required, *self.types, *self.key, *self.matches]))


class RowCounter:
    """Counts the rows of one page: text comes in blocks that end anywhere, over several responses."""

    def __init__(self, look: RowLook) -> None:
        self._look = look
        self._rows = 0
        self._cut = b""
        self._missing = {path: _Count() for path in look.required}
        self._mistyped = {path: _Count() for path in look.types}
        self._matches = _Count()
        self._hashes, self._numbers = array("Q"), array("I")

    def feed(self, plain: bytes) -> None:
        first, *lines = (self._cut + plain).split(b"\n")
        self._cut = lines.pop() if lines else first
        if lines or self._cut is not first:
            self._count([first])
        for start in range(0, len(lines), ROWS_AT_ONCE):
            self._count(lines[start : start + ROWS_AT_ONCE])

    def end_response(self) -> None:
        if self._cut:
            self._count([self._cut])
            self._cut = b""

    def counts(self) -> RowCounts:
        return RowCounts(
            rows=self._rows,
            missing={path: count.flaw() for path, count in self._missing.items() if count.number},
            mistyped={path: count.flaw() for path, count in self._mistyped.items() if count.number},
            matches=self._matches.flaw(),
        )

    @property
    def keys(self) -> Iterator[tuple[int, int]]:
        """Return hash of the key, and number of the row in the page, of rows that have a key."""
        return zip(self._hashes, self._numbers, strict=True)

    def _count(self, lines: Sequence[bytes]) -> None:
        rows, look, before = _parsed(lines), self._look, self._rows
        self._rows += len(rows)
        columns = {path: column(rows, path) for path in look.paths}
        for path, missing in self._missing.items():
            missing.add(
                before + number for number, value in enumerate(columns[path]) if not value and is_missing(value)
            )
        for path, type_ in look.types.items():
            if not _TYPES[type_].issuperset(map(type, columns[path])):
                self._mistyped[path].add(before + number for number in _mistyped(columns[path], type_))
        if look.key:
            self._keep_keys([columns[path] for path in look.key], before)
        if look.matches:
            found = zip(*(columns[path] for path in look.matches), strict=True)
            wanted = list(look.matches.values())
            self._matches.add(
                before + number for number, values in enumerate(found) if all(map(_is_same, values, wanted))
            )

    def _keep_keys(self, columns: Sequence[Sequence[Any]], before: int) -> None:
        keys = {
            number: values
            for number, values in enumerate(zip(*columns, strict=True), before)
            if any(values) or not all(map(is_missing, values))
        }
        self._hashes.extend(map(key_hash, keys.values()))
        self._numbers.extend(keys)


@dataclass
class _Count:
    number: int = 0
    first: list[int] = field(default_factory=list)

    def add(self, rows: Iterable[int]) -> None:
        for row in rows:
            self.number += 1
            if len(self.first) < FIRST_ROWS:
                self.first.append(row)

    def flaw(self) -> Flaw:
        return Flaw(count=self.number, first=tuple(self.first))


class WatchedText:
    """A page's text that is read as by `text`, while `counter` looks at its rows."""

    def __init__(self, text: PageText, counter: RowCounter) -> None:
        self._text, self._counter = text, counter
        self.name, self.media_types = text.name, text.media_types
        self.passes_through, self.counts_exactly = text.passes_through, text.counts_exactly
        self.shows_cuts, self.tail = text.shows_cuts, text.tail

    @property
    def head(self) -> bytes:
        return self._text.head

    def feed(self, plain: bytes) -> bytes:
        stored = self._text.feed(plain)
        self._counter.feed(plain)
        return stored

    def end(self) -> tuple[bytes, int]:
        ended = self._text.end()
        self._counter.end_response()
        return ended


def column(rows: Sequence[Row], path: str) -> list[Any]:
    """Return the value of a path in each row; None where it leads nowhere."""
    values = [row.get(path) for row in rows]
    if "." not in path:
        return values
    return [value_at(row, path) if value is None else value for row, value in zip(rows, values, strict=True)]


def value_at(row: Row, path: str) -> Any:
    """Return the value that a dotted path leads to. A field whose own name has the dots, as `flatten` makes them, is
    looked for before.
    """
    value: Any = row
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def is_missing(value: Any) -> bool:
    """Return whether a value says nothing: null, or an empty text, list or object. 0 and false do say something."""
    return not value and not isinstance(value, int | float)


def has_type(value: Any, type_: JsonType) -> bool:
    """Return whether a JSON value is of a type; 1.0 is an integer, as in JSON Schema."""
    return type(value) in _TYPES[type_] or (type_ == "integer" and isinstance(value, float) and value.is_integer())


def key_hash(values: Sequence[Any]) -> int:
    """Return 64 bits of the key's values, the same in every process."""
    try:
        text = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # half a surrogate, or a number beyond 64 bits
        text = repr(values).encode()
    hashed: int = stringzilla.hash(text)
    return hashed


def _mistyped(values: Sequence[Any], type_: JsonType) -> Iterator[int]:
    return (number for number, value in enumerate(values) if not has_type(value, type_) and not is_missing(value))


def _is_same(value: Any, wanted: Any) -> bool:
    """Return whether a value is the wanted one; Python takes true for 1, which JSON doesn't."""
    return isinstance(value, bool) is isinstance(wanted, bool) and bool(value == wanted)


def _parsed(lines: Sequence[bytes]) -> list[Row]:
    """Return the rows; one that isn't an object has no fields, so all of them are missing."""
    if len(lines[0]) > PARSED_BYTES_MAX:  # blocks are smaller, so only what was held back of one may be so large
        with _LARGE_ROWS:
            return [_one(line) for line in lines]
    try:
        rows = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        return [_one(line) for line in lines]
    return [row if isinstance(row, dict) else {} for row in rows]


def _one(line: bytes) -> Row:
    try:
        row = parse_row(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}

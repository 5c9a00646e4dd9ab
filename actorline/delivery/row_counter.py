"""Rows are looked at as they pass by: what is counted of them goes into the page's receipt, and nothing is changed.

Some rows are read at a time, and each field is then looked at in all of them: a loop for each row and field took three
times as long.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from typing import Any, Final

import orjson
import stringzilla

from actorline.delivery.formats.text import PageText
from actorline.delivery.row_counts import FIRST_ROWS, Flaw, JsonType, RowCounts
from actorline.delivery.row_fields import RowFields

_sorted_json: Final = partial(orjson.dumps, option=orjson.OPT_SORT_KEYS)
BYTES_AT_ONCE: Final = 64 * 1024  # Python values take up to thirty times the text, in each of sixteen threads
_TYPES: Final[Mapping[JsonType, frozenset[type]]] = {
    "string": frozenset({str}),
    "number": frozenset({int, float}),
    "integer": frozenset({int}),
    "boolean": frozenset({bool}),
    "array": frozenset({list}),
    "object": frozenset({dict}),
}


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
        self._look, self._fields = look, RowFields(look.paths)
        self._rows = 0
        self._cut = b""
        self._missing = {path: _Count() for path in look.required}
        self._mistyped = {path: _Count() for path in look.types}
        self._matches = _Count()
        self._hashes, self._numbers = array("Q"), array("I")

    def feed(self, plain: bytes) -> None:
        first, last = plain.find(b"\n"), plain.rfind(b"\n")
        if first < 0:
            self._cut += plain
            return
        self._count(self._cut + plain[:first])
        self._cut = plain[last + 1 :]
        for lines in _pieces(plain, first + 1, last):
            self._count(lines)

    def end_response(self) -> None:
        if self._cut:
            self._count(self._cut)
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

    def _count(self, lines: bytes) -> None:
        if not lines or lines.isspace():  # an empty page may be one newline
            return
        look, before = self._look, self._rows
        count, columns = self._fields.read(lines)
        self._rows += count
        for path, missing in self._missing.items():
            if not all(columns[path]):
                missing.add(before + number for number, value in enumerate(columns[path]) if is_missing(value))
        for path, type_ in look.types.items():
            if not _TYPES[type_].issuperset(map(type, columns[path])):
                self._mistyped[path].add(before + number for number in _mistyped(columns[path], type_))
        if look.key:
            self._keep_keys([columns[path] for path in look.key], before)
        if look.matches and all(wanted in columns[path] for path, wanted in look.matches.items()):
            found = zip(*(columns[path] for path in look.matches), strict=True)
            wanted = list(look.matches.values())
            self._matches.add(
                before + number for number, values in enumerate(found) if all(map(_is_same, values, wanted))
            )

    def _keep_keys(self, columns: Sequence[Sequence[Any]], before: int) -> None:
        keys: Sequence[tuple[Any, ...]] = list(zip(*columns, strict=True))
        numbers: Sequence[int] = range(before, before + len(keys))
        if not any(map(all, columns)):  # no part of the key says something in every row
            there = [not all(map(is_missing, values)) for values in keys]
            keys, numbers = list(compress(keys, there)), list(compress(numbers, there))
        self._hashes.extend(key_hashes(keys))
        self._numbers.extend(numbers)


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


def is_missing(value: Any) -> bool:
    """Return whether a value says nothing: null, or an empty text, list or object. 0 and false do say something."""
    return not value and not isinstance(value, int | float)


def has_type(value: Any, type_: JsonType) -> bool:
    """Return whether a JSON value is of a type; 1.0 is an integer, as in JSON Schema."""
    return type(value) in _TYPES[type_] or (type_ == "integer" and isinstance(value, float) and value.is_integer())


def key_hashes(keys: Sequence[Sequence[Any]]) -> list[int]:
    """Return 64 bits of the values of each key, the same in every process."""
    try:
        return list(map(stringzilla.hash, map(_sorted_json, keys)))
    except TypeError:  # half a surrogate, a number beyond 64 bits, or a value that is nested deeply
        return [stringzilla.hash(_text_of(key)) for key in keys]


def key_hash(values: Sequence[Any]) -> int:
    (hashed,) = key_hashes([values])
    return hashed


def _text_of(values: Sequence[Any]) -> bytes:
    try:
        return _sorted_json(values)
    except TypeError:
        return b"".join(_marks(values))


def _marks(value: Any) -> Iterator[bytes]:
    """Yield the parts of a value of any depth, each with what tells it from others; no call is within another."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield b"{%d," % len(part)
            for name in sorted(part):
                waiting += (name, part[name])
        elif isinstance(part, list | tuple):
            yield b"[%d," % len(part)
            waiting += part
        else:
            yield repr(part).encode() + b","


def _mistyped(values: Sequence[Any], type_: JsonType) -> Iterator[int]:
    return (number for number, value in enumerate(values) if not has_type(value, type_) and not is_missing(value))


def _is_same(value: Any, wanted: Any) -> bool:
    """Return whether a value is the wanted one; Python takes true for 1, which JSON doesn't."""
    return isinstance(value, bool) is isinstance(wanted, bool) and bool(value == wanted)


def _pieces(text: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield the lines between two newlines, some at a time."""
    while start < end:
        cut = end
        if end - start > BYTES_AT_ONCE:
            cut = text.rfind(b"\n", start, start + BYTES_AT_ONCE)
            cut = text.find(b"\n", start + BYTES_AT_ONCE, end + 1) if cut < 0 else cut
        yield text[start:cut]
        start = cut + 1

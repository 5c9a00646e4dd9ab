"""Rows are looked at as they pass by: what is counted of them goes into the page's receipt, and nothing is changed."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import orjson

from actorline.delivery.formats.json_lines import PARSED_BYTES_MAX, parse_row
from actorline.delivery.formats.text import PageText
from actorline.delivery.row_counts import FIRST_ROWS, Flaw, JsonType, RowCounts

_LARGE_ROWS: Final = threading.Lock()
"""One at a time is parsed: a row of 9 MB may take 300 MB as Python values, and sixteen threads read pages."""
_TYPES: Final[Mapping[JsonType, tuple[type, ...]]] = {
    "string": (str,), "number": (int, float), "integer": (int, float), "boolean": (bool,), "array": (list,),
    "object": (dict,),
}  # fmt: skip


@dataclass(frozen=True)
class RowLook:
    """What is looked at in each row, by dotted paths. `key`: the fields that together are a row's key."""

    required: Sequence[str] = ()
    types: Mapping[str, JsonType] = field(default_factory=dict)
    key: Sequence[str] = ()
    matches: Mapping[str, Any] = field(default_factory=dict)


class RowCounter:
    """Counts the rows of one page: text comes in blocks that end anywhere, over several responses."""

    def __init__(self, look: RowLook) -> None:
        self._look = look
        self._rows = 0
        self._cut = b""
        self._missing = {path: _Count() for path in look.required}
        self._mistyped = {path: _Count() for path in look.types}
        self._matches = _Count()
        self.keys: list[tuple[int, int]] = []
        """Hash of the key, and number of the row in the page, of rows that have a key."""

    def feed(self, plain: bytes) -> None:
        *lines, self._cut = (self._cut + plain).split(b"\n")
        for line in lines:
            self._count(line)

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

    def _count(self, line: bytes) -> None:
        row, look, number = _parsed(line), self._look, self._rows
        self._rows += 1
        for path, count in self._missing.items():
            if is_missing(value_at(row, path)):
                count.add(number)
        for path, type_ in look.types.items():
            value = value_at(row, path)
            if not is_missing(value) and not has_type(value, type_):
                self._mistyped[path].add(number)
        key = [value_at(row, path) for path in look.key]
        if not all(map(is_missing, key)):
            self.keys.append((key_hash(key), number))
        if look.matches and all(_is_same(value_at(row, path), value) for path, value in look.matches.items()):
            self._matches.add(number)


@dataclass
class _Count:
    number: int = 0
    first: list[int] = field(default_factory=list)

    def add(self, row: int) -> None:
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


def value_at(row: Any, path: str) -> Any:
    """Return the value that a dotted path leads to; None if it leads nowhere. A field whose own name has the dots, as
    `flatten` makes them, comes first.
    """
    if isinstance(row, dict) and path in row:
        return row[path]
    value = row
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
    if isinstance(value, bool):
        return type_ == "boolean"
    if type_ == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[type_])


def key_hash(values: Sequence[Any]) -> int:
    """Return 64 bits of the key's values, the same in every process."""
    try:
        text = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # half a surrogate, or a number beyond 64 bits
        text = json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def _is_same(value: Any, wanted: Any) -> bool:
    """Return whether a value is the wanted one; Python takes true for 1, which JSON doesn't."""
    return isinstance(value, bool) is isinstance(wanted, bool) and value == wanted


def _parsed(line: bytes) -> Any:
    """Return a row's values; None for one that isn't JSON: all its fields are missing."""
    if len(line) > PARSED_BYTES_MAX:
        with _LARGE_ROWS:
            return _loaded(line)
    return _loaded(line)


def _loaded(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    try:
        return parse_row(line)
    except ValueError:
        return None

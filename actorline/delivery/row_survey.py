"""What the rows of one delivery have in common: which fields are there, of which types, and which tell rows apart.

One pass in bounded memory, however many rows and fields there are.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from actorline.delivery.key_sample import ALL
from actorline.delivery.row_counter import is_missing, key_hash
from actorline.delivery.row_counts import JsonType

FIELDS_MAX: Final = 500
LEVELS_MAX: Final = 4
KEYS_MAX: Final = 20  # fields that may be a row's key, the first ones of the first row
KEYS_KEPT: Final = 20_000  # of each: beyond that a sample of the keys, as a guard takes it
PATH_CHARS_MAX: Final = 200
_TYPES: Final[Mapping[type, JsonType]] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


@dataclass
class FieldSurvey:
    """A field in the rows so far. `worst_missing`: the largest share of the rows in which it was missing, looked at
    after each row from `after_items` on, as a guard may look, and after the last one.
    """

    after_items: int
    types: set[JsonType] = field(default_factory=set)
    worst_missing: float = 0.0
    keys: "KeySurvey | None" = None
    _present: int = 0
    _last: int = 0

    def see(self, number: int, value: Any) -> None:
        """Note that the row of a number, from 1, has a value there."""
        if number - self._last > 1:
            self.judge(number - 1)
        self._last = number
        self._present += 1
        self.types.add(_TYPES[type(value)])
        if self.keys and isinstance(value, str | int | float):
            self.keys.add(key_hash([value]))

    def judge(self, rows: int, *, is_end: bool = False) -> None:
        """Note the share of a number of rows: it is largest just before the field comes again."""
        if rows >= self.after_items or (is_end and rows):
            self.worst_missing = max(self.worst_missing, (rows - self._present) / rows)


class KeySurvey:
    """Whether values repeat: all of them are compared while they are few, then all that have the same small hashes."""

    def __init__(self) -> None:
        self.repeats = False
        self._limit = ALL
        self._seen: set[int] = set()

    def add(self, key: int) -> None:
        if self.repeats or key >= self._limit:
            return
        self.repeats = key in self._seen
        self._seen.add(key)
        if self.repeats:
            self._seen.clear()
        elif len(self._seen) > KEYS_KEPT:
            self._limit //= 2
            self._seen = {each for each in self._seen if each < self._limit}


@dataclass(frozen=True)
class RowSurvey:
    """`fields`: by dotted path, in the order in which they were met; none in lists, or with dots in their names."""

    rows: int
    fields: Mapping[str, FieldSurvey]

    @classmethod
    def of(cls, rows: Iterable[Any], *, after_items: int) -> "RowSurvey":
        fields: dict[str, FieldSurvey] = {}
        number = 0
        for number, row in enumerate(rows, 1):
            for path, value in _values(row):
                if (found := fields.get(path)) is None:
                    if len(fields) == FIELDS_MAX:
                        continue
                    may_be_key = number == 1 and len(fields) < KEYS_MAX and isinstance(value, str | int | float)
                    found = fields[path] = FieldSurvey(after_items, keys=KeySurvey() if may_be_key else None)
                found.see(number, value)
            if number == after_items:
                for each in fields.values():
                    each.judge(number)
        for each in fields.values():
            each.judge(number, is_end=True)
        return cls(number, fields)


def _values(row: Any, prefix: str = "", level: int = 1) -> Iterator[tuple[str, Any]]:
    """Yield the path and value of each field that says something, outer ones first."""
    if not isinstance(row, dict):
        return
    for name, value in row.items():
        path = prefix + name
        if is_missing(value) or not name or "." in name or not name.isprintable() or len(path) > PATH_CHARS_MAX:
            continue
        yield path, value
        if level < LEVELS_MAX:
            yield from _values(value, f"{path}.", level + 1)

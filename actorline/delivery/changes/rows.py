"""Rows compared by value: what a row's key is, and in which fields two rows differ. Pure: no I/O.

Two values are the same if their JSON is, whatever the order of their fields and the way in which their characters are
written. Integers are exact, however long; numbers with a fraction are doubles. `1`, `1.0` and `"1"` are different.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final, NoReturn

import orjson

from actorline.delivery.formats.deep_json import parse_deep
from actorline.delivery.formats.json_lines import has_long_number
from actorline.delivery.row_fields import value_at

MISSING: Final = object()


def read_row(line: bytes) -> Any:
    """Parse a row without losing a digit, as orjson would of long integers. Raises ValueError."""
    if not has_long_number(line):
        with suppress(orjson.JSONDecodeError):  # half surrogates, numbers beyond a double
            return orjson.loads(line)
    try:
        return json.loads(line, parse_float=_number, parse_constant=_refuse)
    except RecursionError:
        return parse_deep(line)


def key_of(row: Any, paths: Sequence[str]) -> bytes | None:
    """Return the values at the paths as one text: equal for rows with the same key. None: one of them is missing, or
    null.
    """
    values = []
    for path in paths:
        value = value_at(row, path)
        if value is None:
            return None
        values.append(value)
    return exact_json(values)


def changed_fields(before: Any, after: Any) -> Iterator[str]:
    """Yield the dotted paths at which two objects differ, in the order of their fields; lists differ as a whole."""
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, MISSING), after.get(name, MISSING)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from (f"{name}.{path}" for path in changed_fields(old, new))
        elif old is MISSING or new is MISSING or exact_json(old) != exact_json(new):
            yield name


def changed_row(before: bytes, after: bytes, paths: Sequence[str]) -> bytes | None:
    """Return what a changed row is listed as: its key, the fields that differ, and both rows as they were delivered.
    None: only the text differs.
    """
    old, new = read_row(before), read_row(after)
    fields = list(changed_fields(old, new))
    if not fields:
        return None
    key: Mapping[str, Any] = {path: value_at(new, path) for path in paths}
    return b'{"key":%b,"fields":%b,"before":%b,"after":%b}' % (
        exact_json(key, sort=False),
        exact_json(fields),
        before,
        after,
    )


def exact_json(value: Any, *, sort: bool = True) -> bytes:
    """Return a text that is the same for the same value, and only for that. orjson writes what it can: no integers
    beyond 64 bits, no half surrogates, nothing deep.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort else None)
    except orjson.JSONEncodeError:
        return json.dumps(value, sort_keys=sort, separators=(",", ":"), default=_mark).encode()


def _number(text: str) -> float | Decimal:
    number = float(text)
    return number if math.isfinite(number) else Decimal(text)


def _mark(number: Decimal) -> str:
    """Return a number beyond a double as a string that no row has by chance."""
    return f"\0{number.normalize()}"


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

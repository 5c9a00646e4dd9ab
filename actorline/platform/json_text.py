"""JSON of the platform's, also where JavaScript wrote half of a character, or a number that is none."""

import json
import math
from typing import Any, Final

import orjson

_DIGITS_MAX: Final = 19  # what a 64-bit integer holds for certain


def parse_json(content: bytes) -> Any:
    """Return what a text holds; None if it is no JSON.

    JavaScript writes half of a surrogate pair where it has cut a text in the middle of a character: it becomes a
    question mark. `NaN`, `Infinity` and a number beyond all floats become null. One field must not make a whole run, or
    the whole list of runs, unreadable.
    """
    try:
        return orjson.loads(content)
    except ValueError:
        pass
    try:
        lenient = json.loads(content, parse_constant=lambda _: None, parse_float=_finite, parse_int=_whole)
        return orjson.loads(json.dumps(lenient, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _whole(digits: str) -> int | float | None:
    """Return the integer as orjson does: a float where it has too many digits."""
    return int(digits) if len(digits) <= _DIGITS_MAX else _finite(digits)

"""Why a value can't be sent as JSON, and where in it, for refusals."""

import math
from collections.abc import Iterator
from typing import Any, Final

FAULT_DEPTH_MAX: Final = 200  # faults below that are reported as the depth
_HALF: Final = range(0xD800, 0xE000)


def find_fault(value: Any, place: str) -> str:
    """Return the place and fault of the first part that JSON in UTF-8 can't represent.

    "" if there is none within the depth that is checked.
    """
    waiting: list[tuple[Any, str, int]] = [(value, place, 0)]
    while waiting:
        part, at, depth = waiting.pop()
        if fault := _fault_of(part):
            return f"{at}: {fault}"
        if depth < FAULT_DEPTH_MAX:
            waiting += reversed([(inner, f"{at}{step}", depth + 1) for step, inner in _parts(part)])
    return ""


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names and values in an object, and the values in a list, each with the step that leads there."""
    if isinstance(value, dict):
        for name, inner in value.items():
            step = f".{shown_name(name)}"
            yield from ((step, name), (step, inner))
    elif isinstance(value, list | tuple):
        yield from ((f"[{number}]", inner) for number, inner in enumerate(value))


def _fault_of(value: Any) -> str:
    match value:
        case str():
            half = next((character for character in value if ord(character) in _HALF), None)
            if half is None:
                return ""
            return f"has half of a character (\\u{ord(half):04x}, one of a surrogate pair), which is not valid text"
        case float() if not math.isfinite(value):
            return "is NaN or infinite, which is not JSON"
        case None | bool() | int() | float() | dict() | list() | tuple():
            return ""
        case _:
            return f"is a {type(value).__name__}, which is not JSON; give it as text"


def shown_name(name: Any) -> str:
    """Return a name in a document as a message may quote it: short, in ASCII."""
    return str(name)[:60].encode("ascii", "backslashreplace").decode()

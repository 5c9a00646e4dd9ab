"""One input as one line of JSON, and how many of them a batch may have. Pure."""

from typing import Any, Final

from actorline.errors import Code, Refused
from actorline.jobs.document.parse import input_text
from actorline.jobs.document.problems import json_type

MOST_INPUTS: Final = 500_000  # a million don't fit: members have six digits, and a manifest lists each of them


def input_line(value: Any, place: str) -> bytes:
    """Return an input as one line of JSON. Raises Refused for one that no run can have."""
    if not isinstance(value, dict):
        raise refused(f"{place} must be an object, not {json_type(value)}")
    try:
        return input_text(value)
    except ValueError as error:
        raise refused(f"{place}: {str(error).removeprefix('input: ')}") from None


def refused(what: str) -> Refused:
    """Return the refusal of a batch whose inputs can't be run."""
    return Refused(Code.INPUT_INVALID, f"The batch is refused: {what}. Nothing was started.")

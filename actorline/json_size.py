"""How many bytes a text takes in JSON as Celery writes it: a letter beyond ASCII is six, an emoji twelve."""

import json
from bisect import bisect_right
from itertools import accumulate


def json_size(text: str) -> int:
    """Return the bytes of the text in a JSON string, without its quotes."""
    return len(json.dumps(text)) - 2


def fitting(text: str, size_bytes: int) -> str:
    """Return as much of the text's beginning as takes at most so many bytes."""
    ends = list(accumulate(map(json_size, text[:size_bytes])))  # a character takes at least one
    return text[: bisect_right(ends, size_bytes)]

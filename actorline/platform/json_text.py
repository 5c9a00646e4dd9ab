"""JSON of the platform's, also where JavaScript wrote half of a character."""

import json
from typing import Any

import orjson


def parse_json(content: bytes) -> Any:
    """Return what a text holds; None if it is no JSON.

    JavaScript writes half of a surrogate pair where it has cut a text in the middle of a character. One run's message
    must not make the whole list of runs unreadable: it becomes a question mark.
    """
    try:
        return orjson.loads(content)
    except ValueError:
        pass
    try:
        return orjson.loads(json.dumps(json.loads(content), ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None

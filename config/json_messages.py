"""JSON as services send it.

kombu writes a date as `{"__type__": "date", "__value__": "2026-11-01"}`, and takes another object with these two
members for an error: an input may be one.
"""

import json
import re
from typing import Any, Final
from uuid import UUID

from kombu.serialization import register
from kombu.utils.json import dumps, loads

_TYPED: Final = {"__type__", "__value__"}
_TEXTS: Final = frozenset({"datetime", "date", "time", "decimal"})


def read_plain_json() -> None:
    """Let this process read messages as JSON and nothing else: a caller's typed values are passed on as they came."""
    register("json", dumps, _loads, content_type="application/json", content_encoding="utf-8")


def typed_as_text(document: Any) -> Any:
    """Return a document in which dates, times, decimals and UUIDs that a service gave are the text that they mean.

    One that is nested too deeply comes back as it is: it is refused for that.
    """
    try:
        return _as_text(document)
    except RecursionError:
        return document


def _as_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == _TYPED:
        kind, inner = value["__type__"], value["__value__"]
        if isinstance(kind, str) and kind in _TEXTS and isinstance(inner, str):
            return inner
        if kind == "uuid" and isinstance(inner, dict) and _is_uuid(inner.get("hex")):
            return str(UUID(inner["hex"]))
    return {name: _as_text(each) for name, each in value.items()}


def _is_uuid(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{32}", text) is not None


def _loads(raw: Any) -> Any:
    return loads(raw, _loads=json.loads, object_hook=lambda value: value)

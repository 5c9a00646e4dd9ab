"""JSON as services send it.

kombu writes a date as `{"__type__": "date", "__value__": "2026-11-01"}`, and fails on any other object with these two
members, which an input may have.
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
    """Make this process read messages as plain JSON: a caller's typed values are passed on unchanged."""
    register("json", dumps, _loads, content_type="application/json", content_encoding="utf-8")


def typed_as_text(document: Any) -> Any:
    """Return the document with a service's typed dates, times, decimals and UUIDs as text.

    One that is nested too deeply is returned unchanged, and refused later.
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

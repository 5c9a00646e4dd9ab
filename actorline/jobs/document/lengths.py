"""Limits on the size of an order and of what is in it, checked before anything is built from it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

STORED: Final[Mapping[str, bool]] = {"is_stored": True}
"""Context for reading the ledger: an earlier version may have accepted more, and its jobs must still end."""

_KEYWORDS: Final[Mapping[str, str]] = {
    "string": "maxLength",
    "array": "maxItems",
    "object": "maxProperties",
    "integer": "maximum",
    "number": "maximum",
}


def is_stored(info: ValidationInfo) -> bool:
    return info.context is STORED


@dataclass(frozen=True)
class AtMost:
    """The most characters of a text, entries of a list or table, or the greatest number; also in the JSON Schema."""

    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found = handler(schema)
        return {**found, _KEYWORDS[found["type"]]: self.most}

    def _check(self, value: Any, info: ValidationInfo) -> Any:
        if not is_stored(info) and (problem := self._problem(value)):
            raise PydanticCustomError("too_much", "{message}", {"message": problem})
        return value

    def _problem(self, value: Any) -> str:
        if isinstance(value, str | list | dict) and len(value) > self.most:
            unit = "characters" if isinstance(value, str) else "entries"
            return f"has {len(value):,} {unit}; at most {self.most:,} are allowed"
        return f"must be at most {self.most:,}" if isinstance(value, int | float) and value > self.most else ""


def outgrows(value: Any, most: int) -> bool:
    """Return whether a value certainly has more bytes than `most` as JSON; stop there, however large it is."""
    waiting, size = [value], 0
    while waiting:
        part = waiting.pop()
        size += len(part) if isinstance(part, str | list | dict) else 1
        if size > most:
            return True
        if isinstance(part, dict):
            waiting += part.keys()
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return False


def size_bytes(value: Any) -> int:
    """Return a value's bytes as JSON; what isn't JSON counts as its text. Raises RecursionError or ValueError for a
    value that is nested too deeply.
    """
    return len(_MEASURE.encode(value).encode("utf-8", "surrogatepass"))


_MEASURE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), skipkeys=True, default=str)

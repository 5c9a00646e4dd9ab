"""A run's key-value store: what was put there, and what its script leaves at the run's end.

Keys and their order: `docs/platform-facts.md#record-keys`.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import orjson

from actorline.emulator.errors import ApiError
from actorline.emulator.life import Life
from actorline.emulator.profile import JSON_TYPE, Script

INPUT_KEY: Final = "INPUT"

_KEY: Final = re.compile(r"[a-zA-Z0-9!\-_.'()]{1,256}")


@dataclass(frozen=True)
class Record:
    """A body as stored; `encoding` is the Content-Encoding that it was sent with."""

    content_type: str
    body: bytes
    encoding: str | None = None


class RecordStore:
    """The records of one run; those of its script are there once the run has ended."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._put: dict[str, Record] = {}

    def put(self, key: str, record: Record) -> None:
        """Store or replace a record.

        Raises `ApiError`: the key has characters that the platform doesn't allow, or too many.
        """
        if not _KEY.fullmatch(key):
            raise ApiError(
                400, "invalid-record-key", "The record key is too long or has characters not allowed in keys"
            )
        self._put[key] = record

    def get(self, key: str, life: Life, now: float) -> Record | None:
        return self._put.get(key) or (self._scripted.get(key) if life.is_finished(now) else None)

    def sorted_keys(self, life: Life, now: float) -> list[str]:
        """Return every key there is, in the binary order of their UTF-8."""
        keys = {*self._put, *(self._scripted if life.is_finished(now) else ())}
        return sorted(keys, key=str.encode)

    @cached_property
    def _scripted(self) -> dict[str, Record]:
        named = {key: Record(made.content_type, made.content()) for key, made in self._script.records.items()}
        numbered = {
            f"KEY-{number:05d}": Record(JSON_TYPE, orjson.dumps({"number": number}))
            for number in range(1, self._script.record_count + 1)
        }
        return named | numbered

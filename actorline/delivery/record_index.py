"""The records of a large store: listed in files of their own, block by block, so that no process holds all of them."""

import hashlib
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from actorline.delivery.manifest import RecordIndex, StoredRecord
from actorline.delivery.sink.names import RECORDS
from actorline.delivery.sink.protocol import MissingFile, Sink


class RecordBlock(BaseModel):
    """The receipt of one block of a store's keys: those behind `after`, up to `last_key`.

    `index`: None if it holds no record. `failed`: records that exist and aren't stored; `failure`: why the first isn't,
    `platform_type`: in the platform's own word.
    `retries`: how often the job had been retried when it was stored.
    """

    model_config = ConfigDict(frozen=True)

    after: str | None
    last_key: str | None
    index: RecordIndex | None
    failed: int = 0
    failure: str | None = None
    platform_type: str | None = None
    retries: int = 0
    is_last: bool = False

    def is_good(self, after: str | None, retries: int) -> bool:
        """Return whether it needn't be stored again: a retry does so where something failed."""
        return self.after == after and (not self.failed or self.retries == retries)


class DamagedIndex(Exception):
    """An index isn't what the manifest says it is."""


def index_name(folder: str, block_no: int) -> str:
    return f"{folder}{RECORDS}-{block_no:05}.jsonl"


def index_text(records: Sequence[StoredRecord]) -> bytes:
    return b"".join(record.model_dump_json().encode() + b"\n" for record in records)


def index_of(name: str, records: Sequence[StoredRecord], text: bytes) -> RecordIndex:
    """Return what the manifest says of the index that lists these records, in the order of their keys."""
    return RecordIndex(
        name=name,
        first_key=records[0].key,
        last_key=records[-1].key,
        records=len(records),
        bytes=len(text),
        sha256=hashlib.sha256(text).hexdigest(),
    )


def read_index(sink: Sink, index: RecordIndex) -> list[StoredRecord]:
    """Return the records that an index lists. Raises DamagedIndex and SinkError."""
    try:
        text = sink.read(index.name)
    except MissingFile:
        raise DamagedIndex("is missing, though the manifest lists it") from None
    if hashlib.sha256(text).hexdigest() != index.sha256:
        raise DamagedIndex("isn't what the manifest says it is")
    try:
        return [StoredRecord.model_validate_json(line) for line in text.splitlines()]
    except ValidationError:
        raise DamagedIndex("can't be read") from None


def indexes_with(indexes: Sequence[RecordIndex], record_key: str) -> Iterator[RecordIndex]:
    """Return those that may list a key: one, as long as the platform lists keys in order."""
    return (index for index in indexes if index.first_key <= record_key <= index.last_key)

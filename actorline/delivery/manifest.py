"""The manifest: what was delivered, and whether that is everything."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel

from actorline.delivery.receipt import Receipt
from actorline.delivery.sink.names import ChangesName, IndexName, PartName, RecordName
from actorline.errors import Reason
from actorline.identifiers import DatasetId, JobKey
from actorline.platform.run_stats import RunStats


class Part(BaseModel):
    """`[offset, offset + scanned)` of the dataset; `sha256` and `bytes` are those of the file."""

    name: PartName
    offset: int
    limit: int
    scanned: int
    items: int
    bytes: int
    sha256: str


class StoredRecord(BaseModel):
    """`key`: in the key-value store; `name`: of its file, which may be another one."""

    key: JobKey
    name: RecordName
    content_type: str
    bytes: int
    sha256: str


class RecordIndex(BaseModel):
    """A file that lists records of a large store, one `StoredRecord` a line in the order of their keys, `first_key` to
    `last_key`; `sha256` and `bytes` are the file's own.
    """

    name: IndexName
    first_key: str
    last_key: str
    records: int
    bytes: int
    sha256: str


ChangeKind = Literal["added", "removed", "changed"]


class ChangedFile(BaseModel):
    """Rows that were added, removed or changed, as JSON lines."""

    kind: ChangeKind
    name: ChangesName
    rows: int
    bytes: int
    sha256: str


class ChangeCounts(BaseModel):
    """What a comparison by key found. `repeated_...`: rows whose key a later row has, which counts instead;
    `without_key_...`: rows in which the key, or a part of it, is missing or null.
    """

    added: int
    removed: int
    changed: int
    unchanged: int
    repeated_before: int = 0
    repeated_after: int = 0
    without_key_before: int = 0
    without_key_after: int = 0
    files: list[ChangedFile]


class Changes(BaseModel):
    """What changed since the delivery of the job `base`; None: there was no earlier one. `error`: why that isn't known,
    and then `counts` is None.
    """

    key: list[str]
    base: JobKey | None
    counts: ChangeCounts | None = None
    error: str | None = None


class RunFacts(BaseModel):
    """`settled`: cost and stats were read again some seconds after the run's end, when they are final."""

    id: str | None
    status: str | None
    status_message: str | None
    started_at: str | None
    finished_at: str | None
    cost_usd: float | None
    stats: RunStats | None = None
    settled: bool = False


class Totals(BaseModel):
    scanned: int
    items: int
    bytes: int
    parts: int
    records: int


class Manifest(BaseModel):
    """`retries`: how often the job was retried before it ended so. `queued_at`: when the job was ordered: its
    key may be ordered again when the ledger has forgotten it.
    """

    version: int = 1
    job: str
    installation: str
    queued_at: str | None = None
    attempt: int
    retries: int = 0
    target: dict[str, str]
    run: RunFacts | None
    dataset_id: DatasetId | None
    query: dict[str, Any]
    format: str
    compression: str
    parts: list[Part]
    records: list[StoredRecord]
    record_indexes: list[RecordIndex] = []
    totals: Totals
    changes: Changes | None = None
    state: str
    complete: bool
    reason: Reason | None


_OF_THE_JOB: Final = {
    "job", "installation", "attempt", "retries", "dataset_id", "format", "compression", "parts", "records", "totals",
    "state", "complete", "record_indexes", "changes",
}  # fmt: skip
"""Not the run's cost and stats, which are written again when they are final."""


def fingerprint(manifest: Manifest) -> str:
    """Return a sha256 of what a manifest says for good. What a later version adds leaves it as it is."""
    facts = manifest.model_dump_json(include=_OF_THE_JOB, exclude_defaults=True)
    return hashlib.sha256(facts.encode()).hexdigest()


def changed_files(manifest: Manifest) -> list[ChangedFile]:
    """Return the files of changes; none if nothing was compared."""
    return manifest.changes.counts.files if manifest.changes and manifest.changes.counts else []


def parts_of(receipts: Sequence[Receipt]) -> list[Part]:
    """Return the parts in the order of the rows; windows that scanned nothing left none."""
    return [
        Part(
            name=receipt.part,
            **receipt.model_dump(include={"offset", "limit", "scanned", "items", "bytes", "sha256"}),
        )
        for receipt in sorted(receipts, key=lambda receipt: receipt.offset)
        if receipt.part
    ]


def totals_of(parts: Sequence[Part], records: Sequence[StoredRecord], indexes: Sequence[RecordIndex] = ()) -> Totals:
    return Totals(
        scanned=sum(part.scanned for part in parts),
        items=sum(part.items for part in parts),
        bytes=sum(part.bytes for part in parts),
        parts=len(parts),
        records=len(records) + sum(index.records for index in indexes),
    )

"""The manifest: what was delivered, and whether that is everything."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from actorline.delivery.receipt import Receipt
from actorline.errors import Reason
from actorline.platform.runs import RunStats


class Part(BaseModel):
    """`[offset, offset + scanned)` of the dataset; `sha256` and `bytes` are those of the file."""

    name: str
    offset: int
    limit: int
    scanned: int
    items: int
    bytes: int
    sha256: str


class StoredRecord(BaseModel):
    key: str
    name: str
    content_type: str
    bytes: int
    sha256: str


class RunFacts(BaseModel):
    """`settled`: cost and stats were read again some seconds after the run's end, when they stand."""

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
    """`retries`: how often somebody had the job retried before it ended so."""

    version: int = 1
    job: str
    installation: str
    attempt: int
    retries: int = 0
    target: dict[str, str]
    run: RunFacts | None
    dataset_id: str | None
    query: dict[str, Any]
    format: str
    compression: str
    parts: list[Part]
    records: list[StoredRecord]
    totals: Totals
    state: str
    complete: bool
    reason: Reason | None


def parts_of(receipts: Sequence[Receipt]) -> list[Part]:
    """The parts in the order of the rows; windows that scanned nothing left none."""
    return [
        Part(
            name=receipt.part,
            **receipt.model_dump(include={"offset", "limit", "scanned", "items", "bytes", "sha256"}),
        )
        for receipt in sorted(receipts, key=lambda receipt: receipt.offset)
        if receipt.part
    ]


def totals_of(parts: Sequence[Part], records: Sequence[StoredRecord]) -> Totals:
    return Totals(
        scanned=sum(part.scanned for part in parts),
        items=sum(part.items for part in parts),
        bytes=sum(part.bytes for part in parts),
        parts=len(parts),
        records=len(records),
    )

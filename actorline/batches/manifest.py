"""The manifest of a batch: each input and what became of it. One member a line, so that it is read line by line."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO, Final

from pydantic import BaseModel, ValidationError

from actorline.delivery.read_back import DamagedDelivery
from actorline.delivery.sink import MANIFEST, MissingFile, Sink
from actorline.errors import Reason

KIND: Final = "batch"
_OPENS: Final = b'"members": [\n'
_CLOSES: Final = b"],\n"


class Member(BaseModel):
    """`state` None: it was never made. `input_sha256`: of its line in `_inputs/inputs.jsonl`."""

    number: int
    key: str
    state: str | None
    manifest: str | None = None
    manifest_sha256: str | None = None
    items: int = 0
    bytes: int = 0
    records: int = 0
    cost_usd: float | None = None
    input_sha256: str


class BatchTotals(BaseModel):
    inputs: int = 0
    delivered: int = 0
    items: int = 0
    bytes: int = 0
    records: int = 0
    cost_usd: float = 0

    def add(self, member: Member) -> None:
        self.inputs += 1
        self.delivered += member.state == "DELIVERED"
        self.items += member.items
        self.bytes += member.bytes
        self.records += member.records
        self.cost_usd = round(self.cost_usd + (member.cost_usd or 0), 9)


class BatchHead(BaseModel):
    """All but the members and what they come to."""

    version: int = 1
    kind: str = KIND
    batch: str
    installation: str
    queued_at: str | None
    retries: int
    sink: str


class BatchTail(BaseModel):
    totals: BatchTotals
    state: str
    complete: bool
    reason: Reason | None


def write_manifest(file: BinaryIO, head: BatchHead, members: Iterable[Member]) -> BatchTotals:
    """Write all but the tail, member by member, and return what they come to."""
    totals = BatchTotals()
    file.write(json.dumps(head.model_dump())[:-1].encode() + b",\n" + _OPENS)
    for member in members:
        file.write((b",\n" if totals.inputs else b"") + member.model_dump_json(exclude_none=True).encode())
        totals.add(member)
    return totals


def write_tail(file: BinaryIO, tail: BatchTail) -> None:
    file.write(b"\n" + _CLOSES + tail.model_dump_json()[1:].encode() + b"\n")


class BatchManifest:
    """A manifest in a sink. Its members are read from there each time, and never held all at once."""

    def __init__(self, sink: Sink, head: BatchHead, tail: BatchTail) -> None:
        self.sink = sink
        self.head = head
        self.tail = tail

    def members(self) -> Iterator[Member]:
        """Yield each input's member. Raises DamagedDelivery at a line that is none, and SinkError."""
        with self.sink.open(MANIFEST) as file:
            for line in islice(iter(file.readline, b""), 2, None):
                if line == _CLOSES:
                    return
                if line.strip():
                    try:
                        yield Member.model_validate_json(line.rstrip().removesuffix(b","))
                    except ValidationError as error:
                        raise _damaged(self.sink) from error

    def count_deliveries(self) -> int:
        """Return how many members delivered something, be it a part of their rows."""
        return sum(member.manifest is not None for member in self.members())


def read_manifest(sink: Sink) -> BatchManifest | None:
    """Return the batch's manifest; None: there is none, or it isn't a batch's. Raises SinkError."""
    try:
        with sink.open(MANIFEST) as file:
            head = file.readline()
            if not re.match(rb'\{"version": 1, "kind": "batch"', head):
                return None
            tail = _last_line(file)
        return BatchManifest(
            sink,
            BatchHead.model_validate_json(head.rstrip().removesuffix(b",") + b"}"),
            BatchTail.model_validate_json(b"{" + tail),
        )
    except MissingFile:
        return None
    except ValidationError as error:
        raise _damaged(sink) from error


def _damaged(sink: Sink) -> DamagedDelivery:
    return DamagedDelivery(
        f"{sink.file_url(MANIFEST)} is not the manifest of a batch, version 1. "
        "Restore it, or order again under another key."
    )


def _last_line(file: BinaryIO) -> bytes:
    """Return the line behind the members: the last one, however many there are."""
    size = file.seek(0, 2)
    file.seek(max(size - 65_536, 0))
    return file.read().rpartition(_CLOSES)[2]

"""A delivery checked against its manifest: every file is read again, every number is added up again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from actorline.delivery.formats.table import FORMATS
from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.manifest import ChangedFile, Manifest, Part, StoredRecord, changed_files, totals_of
from actorline.delivery.part import inspect_part
from actorline.delivery.read_back import Delivery, measure
from actorline.delivery.record_index import DamagedIndex, read_index
from actorline.delivery.sink import MANIFEST, SUCCESS, Sink

VERIFY_THREADS: Final = 4  # of two cores; beside a file that is inflated others are on their way
COUNTED: Final = frozenset({"jsonl", "json"})  # whose rows are counted; of the others bytes and sha256 must be right

Entry = Part | StoredRecord | ChangedFile


@dataclass(frozen=True)
class DeliveryProblem:
    """`file`: its name in the delivery."""

    file: str
    text: str


def verify(delivery: Delivery, progress: Callable[[int], None]) -> Iterator[DeliveryProblem]:
    """Yield what isn't as the manifest says. `progress` is called, from any thread, with the number of bytes just read.

    Raises SinkError if the sink can't be read.
    """
    sink, manifest = delivery.sink, delivery.manifest
    yield from contradictions(manifest)
    if sink.exists(SUCCESS) is not manifest.complete:
        yield DeliveryProblem(SUCCESS, "is missing" if manifest.complete else "exists, although rows are missing")
    blocks: Iterable[Sequence[Entry]] = (manifest.parts, manifest.records, changed_files(manifest))
    with ThreadPoolExecutor(VERIFY_THREADS) as threads:
        for block in blocks:
            yield from _check_all(threads, delivery, block, progress)
        for index in manifest.record_indexes:
            try:
                listed = read_index(sink, index)
            except DamagedIndex as error:
                yield DeliveryProblem(index.name, str(error))
                continue
            if len(listed) != index.records:
                yield DeliveryProblem(
                    index.name, f"lists {len(listed):,} records, but the manifest says {index.records:,}"
                )
            yield from _check_all(threads, delivery, listed, progress)


def contradictions(manifest: Manifest) -> Iterator[DeliveryProblem]:
    """Yield what the manifest itself says wrong: windows that overlap, gaps in a complete delivery, sums. Pure."""
    offset = int(manifest.query.get("offset") or 0)
    for part in manifest.parts:
        if part.offset < offset or (manifest.complete and part.offset != offset):
            yield DeliveryProblem(part.name, f"begins at {part.offset:,}, but the rows before it end at {offset:,}")
        offset = part.offset + part.scanned
    sums = totals_of(manifest.parts, manifest.records, manifest.record_indexes).model_dump()
    for name, total in manifest.totals.model_dump().items():
        if total != sums[name]:
            yield DeliveryProblem(MANIFEST, f"says {total:,} {name} in total, but its entries add up to {sums[name]:,}")
    if manifest.complete is not (manifest.state == "DELIVERED"):
        yield DeliveryProblem(MANIFEST, f"says {manifest.state} and complete: {manifest.complete}")


def _check_all(
    threads: ThreadPoolExecutor,
    delivery: Delivery,
    entries: Sequence[Entry],
    progress: Callable[[int], None],
) -> Iterator[DeliveryProblem]:
    for found in threads.map(lambda entry: _check(delivery.sink, delivery.manifest, entry, progress), entries):
        yield from found


def _check(sink: Sink, manifest: Manifest, entry: Entry, progress: Callable[[int], None]) -> Sequence[DeliveryProblem]:
    size = sink.size(entry.name)
    if size != entry.bytes:
        text = "is missing" if size is None else f"has {size:,} bytes, but the manifest says {entry.bytes:,}"
        return [DeliveryProblem(entry.name, text)]
    with sink.open(entry.name) as file:
        counted = cast("BinaryIO", _CountedFile(file, progress))
        try:
            sha256, rows = _read(counted, manifest) if isinstance(entry, Part) else (measure(counted)[1], None)
        except UnreadablePage as error:
            return [DeliveryProblem(entry.name, f"can't be read: {error}")]
    found = []
    if sha256 != entry.sha256:
        found.append(DeliveryProblem(entry.name, f"has the sha256 {sha256}, but the manifest says {entry.sha256}"))
    if isinstance(entry, Part) and rows not in {None, entry.items}:
        found.append(DeliveryProblem(entry.name, f"has {rows:,} rows, but the manifest says {entry.items:,}"))
    return found


def _read(file: BinaryIO, manifest: Manifest) -> tuple[str, int | None]:
    """Return the sha256 and, where the format allows it, the number of rows. Raises UnreadablePage."""
    format_ = FORMATS.get(manifest.format)
    if format_ is None or manifest.format not in COUNTED:
        return measure(file)[1], None
    text = format_.read_stored(manifest.query)
    facts = inspect_part(file, text=text, compressed=format_.is_gzipped(manifest.compression))
    return facts.sha256, facts.items


class _CountedFile:
    """A file that counts how much of it was read."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self._progress(len(block))
        return block

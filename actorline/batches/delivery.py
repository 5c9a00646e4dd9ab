"""A batch read back as one delivery: its members' rows and records, in the order of the inputs. Streaming."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO, Final

from actorline.batches.batch import BatchResult
from actorline.batches.manifest import BatchManifest, Member, read_manifest
from actorline.batches.members import member_folder
from actorline.delivery.manifest import StoredRecord
from actorline.delivery.read_back import DamagedDelivery, Delivery, NoDelivery, UnreadableRows, open_delivery
from actorline.delivery.sink import MANIFEST, open_sink
from actorline.errors import Reason
from actorline.identifiers import JobKey
from actorline.jobs.member_key import DIGITS, member_key

JSON_ROWS: Final = frozenset({"jsonl", "json", "parquet"})


class BatchDelivery:
    """The rows and records of a batch. Each method raises SinkError if they can't be read.

    A member is opened when its turn comes: memory holds no more than a single job's delivery does.
    """

    def __init__(self, manifest: BatchManifest) -> None:
        self.manifest = manifest

    @property
    def is_complete(self) -> bool:
        return self.manifest.tail.complete

    @property
    def reason(self) -> Reason | None:
        return self.manifest.tail.reason

    def deliveries(self) -> Iterator[tuple[Member, Delivery]]:
        """Yield each member that has delivered something, with its delivery."""
        for member in self.manifest.members():
            if member.manifest:
                yield member, self.open_member(member.number, sha256=member.manifest_sha256)

    def open_member(self, number: int, *, sha256: str | None = None) -> Delivery:
        """Open a member's delivery where it belongs, whatever the manifest says: whoever can write to the batch's
        folder could name another job's, or put a link in its place. Raises as `open_delivery`.
        """
        key = member_key(JobKey(self.manifest.head.batch), number)
        return open_delivery(member_folder(self.manifest.sink.url, number), key=key, sha256=sha256)

    def lines(self) -> Iterator[bytes]:
        """Yield the rows, one JSON text each, without the newline."""
        for _, delivery in self.deliveries():
            yield from delivery.lines()

    def items(self) -> Iterator[Any]:
        """Yield the rows, parsed. Of csv every value is a string."""
        for _, delivery in self.deliveries():
            yield from delivery.items()

    def blocks(self) -> Iterator[bytes]:
        """Return the rows to be shown: JSON lines, or one csv text with the first member's header.

        Raises UnreadableRows at once for other formats: files of several members don't make one.
        """
        deliveries = self.deliveries()
        first = next(deliveries, None)
        if first is None:
            return iter(())
        member, delivery = first
        form = delivery.manifest.format
        if form in JSON_ROWS:
            return (line + b"\n" for line in self.lines())
        if form == "csv":
            return chain(delivery.blocks(), chain.from_iterable(_without_header(each) for _, each in deliveries))
        raise UnreadableRows(f"Rows of a batch in {form} are read member by member: actorline items {member.key}")

    def range_blocks(self, offset: int, limit: int | None) -> Iterator[bytes]:
        """Yield at most `limit` rows from `offset` on, as JSON lines; members before them aren't opened."""
        for member in self.manifest.members():
            if not member.manifest or (limit is not None and limit <= 0):
                continue
            if member.items <= offset:
                offset -= member.items
                continue
            delivery = self.open_member(member.number, sha256=member.manifest_sha256)
            rows = min(member.items - offset, limit if limit is not None else member.items)
            yield from delivery.range_blocks(offset, rows)
            offset, limit = 0, None if limit is None else limit - rows

    def records(self) -> Iterator[tuple[str, StoredRecord]]:
        """Yield each record with its name in the batch: `000017/OUTPUT`."""
        for member, delivery in self.deliveries():
            for record in delivery.records():
                yield f"{member.number:0{DIGITS}d}/{record.key}", record

    def open_record(self, name: str) -> BinaryIO:
        """Return a record's bytes by its name in the batch; to be closed. Raises NoDelivery if there is none."""
        number, slash, record_key = name.partition("/")
        if not (slash and number.isascii() and number.isdigit() and len(number) == DIGITS):
            raise NoDelivery(f"A record of a batch is named by its member: 000000/{name[:100]}")
        return self.open_member(int(number)).open_record(record_key)


def _without_header(delivery: Delivery) -> Iterator[bytes]:
    blocks = delivery.blocks()
    if delivery.manifest.query.get("skipHeaderRow") == "true":
        yield from blocks
        return
    head = b""
    for block in blocks:
        head += block
        if b"\n" in head:
            yield head.partition(b"\n")[2]
            break
    yield from blocks


def open_batch(result: BatchResult) -> BatchDelivery:
    """Return what a batch has delivered. Raises NoDelivery if that is nothing (yet), and SinkError."""
    if result.manifest is None or result.sink is None:
        raise NoDelivery(f"The batch {result.key} is {result.state} and has delivered nothing.")
    manifest = read_manifest(open_sink(result.sink))
    if manifest is None:
        raise NoDelivery(f"There is no delivery at {result.sink}: there is no {MANIFEST}.")
    if manifest.head.batch != result.key:
        raise DamagedDelivery(f"{result.manifest} isn't the one of the batch {result.key}. Restore it.")
    return BatchDelivery(manifest)

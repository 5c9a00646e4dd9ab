"""A delivery read back: rows and records as the manifest lists them, whoever delivered them."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, cast, get_args

import orjson
from isal import igzip, isal_zlib
from pydantic import ValidationError

from actorline.delivery.formats.gzip_members import BLOCK_BYTES
from actorline.delivery.formats.json_lines import array_rows, parse_row
from actorline.delivery.formats.parquet_assembly import has_parquet
from actorline.delivery.formats.rows import csv_rows, parquet_rows, text_lines
from actorline.delivery.formats.table import delimiter_of
from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.manifest import (
    ChangedFile,
    ChangeKind,
    Manifest,
    Part,
    RecordIndex,
    StoredRecord,
    changed_files,
    fingerprint,
)
from actorline.delivery.record_index import DamagedIndex, indexes_with, read_index
from actorline.delivery.sink import MANIFEST, MissingFile, Sink, SinkError, open_sink
from actorline.errors import Reason
from actorline.identifiers import JobKey
from actorline.logs import Logger

BLOCK_LINES: Final = 1000
SHOWN_RECORDS: Final = 20

log = Logger(__name__)


class NoDelivery(SinkError):
    """There is no manifest at the URL, or the delivery holds no such record."""


class NotCompared(NoDelivery):
    """What changed isn't known: it wasn't ordered, or the comparison failed."""


class UnreadableRows(SinkError):
    """The rows exist, but in a form that must be read file by file."""


class DamagedDelivery(SinkError):
    """The files are not what the manifest lists."""


class Delivery:
    """The rows and records of one job. Each method raises SinkError if they can't be read."""

    def __init__(self, sink: Sink, manifest: Manifest) -> None:
        self.manifest = manifest
        self.sink = sink

    @property
    def is_complete(self) -> bool:
        return self.manifest.complete

    @property
    def reason(self) -> Reason | None:
        return self.manifest.reason

    def blocks(self) -> Iterator[bytes]:
        """Return the rows to be shown: as JSON lines where the format allows it, otherwise the text as it was delivered
        (csv, xml, html, rss) or the file (xlsx). A block may end inside a line.

        Raises DamagedDelivery at once if a part is missing or differs in size: half the rows are never returned.
        """
        if self.manifest.format in {"json", "parquet"}:
            return (line + b"\n" for line in self.lines())
        self._check_parts()
        return self._text()

    def lines(self) -> Iterator[bytes]:
        """Return the rows, one JSON text each, without the newline. Raises as `items`."""
        match self.manifest.format:
            case "jsonl":
                self._check_parts()
                return self._lines(self._text())
            case "json":
                self._check_parts()
                return array_rows(self._lines(self._text()))
            case _:
                return map(orjson.dumps, self.items())

    def items(self) -> Iterator[Any]:
        """Return the rows, parsed; memory holds one block. Of csv every value is a string.

        Raises DamagedDelivery as `blocks`, and UnreadableRows for a format whose files have to be read as
        such (xml, html, rss, xlsx, csv without header).
        """
        match self.manifest.format:
            case "jsonl" | "json":
                return self._parsed(self.lines())
            case "csv" if self.manifest.query.get("skipHeaderRow") != "true":
                self._check_parts()
                return self._csv_rows()
            case "parquet" if has_parquet():
                self._check_parts()
                return self._parquet_rows()
        raise UnreadableRows(self._read_by_file())

    def range_blocks(self, offset: int, limit: int | None) -> Iterator[bytes]:
        """Yield at most `limit` rows from `offset` on, as JSON lines; no block ends inside a line.

        Parts before the range aren't read. Raises as `items`.
        """
        parts = list(self.manifest.parts)
        if self.manifest.format == "jsonl":
            self._check_parts()
            while parts and parts[0].items <= offset:
                offset -= parts.pop(0).items
            lines = self._lines(self._text(parts))
        else:
            lines = self.lines()
        wanted = islice(lines, offset, None if limit is None else offset + limit)
        return iter(lambda: b"".join(line + b"\n" for line in islice(wanted, BLOCK_LINES)), b"")

    def stored_blocks(self) -> Iterator[bytes]:
        """Return the delivered files as they are stored, one after the other: of gzip parts that is one gzip file, of
        several members. Raises DamagedDelivery as `blocks`.
        """
        self._check_parts()
        return (block for part in self.manifest.parts for block in self.stored_part(part))

    def change_blocks(self, kind: ChangeKind) -> Iterator[bytes]:
        """Return the rows that were added, removed or changed since an earlier delivery, as JSON lines. A block may end
        inside a line.

        Raises NotCompared if that isn't known, DamagedDelivery as `blocks`, and ValueError for another kind.
        """
        if kind not in get_args(ChangeKind):
            raise ValueError(f"changes are {', '.join(get_args(ChangeKind))}; there are no {kind!r} ones")
        changes = self.manifest.changes
        if changes is None or changes.counts is None:
            why = f"What changed isn't known: {changes.error}" if changes else "It was ordered without `delta`."
            raise NotCompared(f"{self.manifest.job} has no changes. {why}")
        files = [file for file in changed_files(self.manifest) if file.kind == kind]
        self._check_files(files)
        return self._text(files)

    def changes(self, kind: ChangeKind) -> Iterator[Any]:
        """Return the same rows, parsed. One that changed is `{"key", "fields", "before", "after"}`. Raises as
        `change_blocks`.
        """
        return self._parsed(self._lines(self.change_blocks(kind)))

    def records(self) -> Iterator[StoredRecord]:
        """Yield the records, however many there are."""
        yield from self.manifest.records
        for index in self.manifest.record_indexes:
            yield from self._listed_in(index)

    def find_record(self, record_key: str) -> StoredRecord | None:
        """Return what is known of a record; None if it wasn't delivered."""
        indexes = indexes_with(self.manifest.record_indexes, record_key)
        listed = chain(self.manifest.records, chain.from_iterable(map(self._listed_in, indexes)))
        return next((record for record in listed if record.key == record_key), None)

    def open_record(self, record_key: str) -> BinaryIO:
        """Return a record's bytes as the platform gave them; to be closed. Raises NoDelivery if it wasn't
        delivered.
        """
        if record := self.find_record(record_key):
            return self._open_whole(record.name, record.bytes)
        there = ", ".join(record.key for record in islice(self.records(), SHOWN_RECORDS)) or "none"
        more = self.manifest.totals.records - SHOWN_RECORDS
        raise NoDelivery(
            f"The delivery {self.sink} has no record {record_key}. Its records: {there}"
            f"{f' and {more:,} more' if more > 0 else ''}."
        )

    def _listed_in(self, index: RecordIndex) -> list[StoredRecord]:
        try:
            return read_index(self.sink, index)
        except DamagedIndex as error:
            raise DamagedDelivery(
                f"{self.sink.file_url(index.name)} {error}. Restore it, or order again under another key."
            ) from error

    def _check_parts(self) -> None:
        self._check_files(self.manifest.parts)

    def _check_files(self, files: Sequence[Part | ChangedFile]) -> None:
        folders = {folder_of(file.name) for file in files}
        there = {name: size for folder in folders for name, size in self.sink.files_in(folder).items()}
        for file in files:
            self._check_size(file.name, file.bytes, there.get(file.name))

    def _lines(self, text: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from text_lines(text)
        except UnreadablePage as error:
            raise DamagedDelivery(
                f"The rows in {self.sink} are damaged: {error}. Restore them, or order again under another key."
            ) from error

    def _parsed(self, lines: Iterator[bytes]) -> Iterator[Any]:
        for number, line in enumerate(lines):
            try:
                row = parse_row(line)
            except ValueError as error:
                raise DamagedDelivery(
                    f"Row {number:,} (the first is 0) in {self.sink} is not JSON. `lines()` gives each row as it is "
                    "stored; restore the delivery, or order again under another key."
                ) from error
            yield row

    def _csv_rows(self) -> Iterator[dict[str, str]]:
        try:
            yield from csv_rows(self._text(), delimiter_of(self.manifest.query))
        except (UnreadablePage, ValueError) as error:
            raise DamagedDelivery(
                f"The rows in {self.sink} are damaged: {error}. Restore them, or order again under another key."
            ) from error

    def _parquet_rows(self) -> Iterator[dict[str, Any]]:
        for part in self.manifest.parts:
            with self._open_whole(part.name, part.bytes) as file:
                yield from parquet_rows(file)

    def _read_by_file(self) -> str:
        why = {
            "csv": "csv without a header row has no names for its columns",
            "parquet": "reading parquet needs pyarrow: install actorline[parquet] here",
        }.get(self.manifest.format, f"{self.manifest.format} is read file by file")
        files = ", ".join(self.sink.file_url(part.name) for part in self.manifest.parts[:3])
        more = f" and {len(self.manifest.parts) - 3} more" if len(self.manifest.parts) > 3 else ""  # noqa: PLR2004
        return f"These rows can't be read one by one: {why}. Their files: {files or 'none'}{more}."

    def stored_part(self, part: Part) -> Iterator[bytes]:
        """Yield a delivered file as it is stored. Raises DamagedDelivery if it is missing or differs in size."""
        with self._open_whole(part.name, part.bytes) as file:
            while block := file.read(BLOCK_BYTES):
                yield block

    def _text(self, parts: Sequence[Part | ChangedFile] | None = None) -> Iterator[bytes]:
        """Yield the text of parts (None: of all), or the bytes of files that are none."""
        for part in self.manifest.parts if parts is None else parts:
            with self._open_whole(part.name, part.bytes) as file:
                yield from self._plain_blocks(file, part.name)

    def _plain_blocks(self, file: BinaryIO, name: str) -> Iterator[bytes]:
        reader = _inflated(file) if self.manifest.compression == "gzip" else file
        try:
            while block := reader.read(BLOCK_BYTES):
                yield block
        except (OSError, EOFError, isal_zlib.error) as error:  # type: ignore[misc]  # its stub declares an instance
            raise DamagedDelivery(
                f"{self.sink.file_url(name)} can't be read to its end: {error}. "
                "Restore it, or order again under another key."
            ) from error

    def _open_whole(self, name: str, size: int) -> BinaryIO:
        """Return a file of the manifest, checked against its size there."""
        try:
            file = self.sink.open(name)
        except MissingFile:
            self._check_size(name, size, None)
            raise
        self._check_size(name, size, file.seek(0, os.SEEK_END))
        file.seek(0)
        return file

    def _check_size(self, name: str, size: int, found: int | None) -> None:
        """Check a size. The sizes go to the log only: a reader of the rows needn't learn what else is stored there."""
        if found != size:
            log.warning("delivery_damaged", sink=str(self.sink), file=name, listed_bytes=size, found_bytes=found)
            what = "is missing, though the manifest lists it" if found is None else "isn't as long as the manifest says"
            raise DamagedDelivery(f"{self.sink.file_url(name)} {what}. Restore it, or order again under another key.")


def open_delivery(url: str, *, key: JobKey | None = None, sha256: str | None = None) -> Delivery:
    """Return the delivery in a folder, by the folder's URL or its manifest's.

    `key`: the job that must have made it; `sha256`: its manifest's fingerprint. Raises NoDelivery if nothing was
    delivered there, DamagedDelivery if the manifest can't be understood, or is another one.
    """
    folder = url.removesuffix(MANIFEST) if PurePosixPath(url).name == MANIFEST else url
    sink = open_sink(folder)
    try:
        text = sink.read(MANIFEST)
    except MissingFile:
        raise NoDelivery(
            f"There is no delivery at {sink}: there is no {MANIFEST}. A job writes it when it ends; if it has "
            "ended, its files were moved or deleted."
        ) from None
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise DamagedDelivery(
            f"{sink.file_url(MANIFEST)} is not a manifest of version 1. Restore it, or order again under another key."
        ) from error
    if (key or manifest.job) != manifest.job or (sha256 and sha256 != fingerprint(manifest)):
        raise DamagedDelivery(
            f"{sink.file_url(MANIFEST)} isn't the one that the job delivered. "
            "Restore it, or order again under another key."
        )
    return Delivery(sink, manifest)


def folder_of(name: str) -> str:
    """Return the folder of a file: `attempt-2/part-00000.csv` -> `attempt-2/`."""
    return name[: name.rfind("/") + 1]


def measure(file: BinaryIO) -> tuple[int, str]:
    """Return bytes and sha256 of what is left of a file."""
    digest, size = hashlib.sha256(), 0
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
        size += len(block)
    return size, digest.hexdigest()


def _inflated(file: BinaryIO) -> BinaryIO:
    """Return a reader of the inflated text, also of several gzip members in a row. Its `read` raises OSError, EOFError
    and isal_zlib.error.
    """
    return cast("BinaryIO", igzip.IGzipFile(fileobj=file, mode="rb"))

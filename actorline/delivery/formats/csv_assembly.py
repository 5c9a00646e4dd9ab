"""CSV pages under one header: the columns of all pages, in the order in which they first come.

A page that has exactly these columns is copied; the records of another are put in order, with an empty field for each
column that it lacks. Holds the headers and one block in memory.
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from isal import isal_zlib

from actorline.delivery.formats.csv_text import BOM, read_records, record_end, whole_records, write_records
from actorline.delivery.formats.gzip_members import StoredFile
from actorline.delivery.formats.staged_page import StagedPage, plain_blocks
from actorline.delivery.formats.text import ROW_BYTES_MAX, UnreadablePage, check_row_size
from actorline.inflate import GZIP

Column = tuple[str, int]
"""A name, and the how-manieth column of this name in its header it is."""


@dataclass(frozen=True)
class CsvAssembly:
    columns: list[Column]
    line_end: str
    delimiter: str
    has_bom: bool
    has_header: bool

    @classmethod
    def of(cls, pages: list[StagedPage], *, delimiter: str, bom: bool, header: bool) -> "CsvAssembly":
        """Look at the header of every page."""
        columns: dict[Column, None] = {}
        line_end = ""
        for page in pages:
            head, _ = split_head(page.blocks(), is_gzip=page.is_gzip)
            own = columns_of(head, delimiter)
            columns.update(dict.fromkeys(own))
            if own and not line_end:  # a page without columns may be no csv of the platform's
                line_end = "\r\n" if head.endswith(b"\r\n") else "\n"
        return cls(list(columns), line_end or "\n", delimiter, bom, header)

    def write(self, pages: list[StagedPage], out: StoredFile, *, is_first: bool) -> None:
        if is_first:
            out.write_apart(self._head())
        for page in pages:
            head, rows = split_head(page.blocks(), is_gzip=page.is_gzip)
            own = columns_of(head, self.delimiter)
            if own == self.columns:
                for block in rows:
                    out.copy(block)
            else:
                for text in self._reordered(plain_blocks(rows, is_gzip=page.is_gzip), own):
                    out.write(text)

    def _head(self) -> bytes:
        header = write_records([[name for name, _ in self.columns]], self.delimiter, self.line_end)
        return BOM * self.has_bom + (b"".join(header) if self.has_header and self.columns else b"")

    def _reordered(self, text: Iterator[bytes], own: list[Column]) -> Iterator[bytes]:
        """Return records by the columns of all; position -1 of each is the empty field."""
        at = {column: position for position, column in enumerate(own)}
        order = [at.get(column, -1) for column in self.columns]
        width = len(own)
        records = (
            [*record, *itertools.repeat("", width + 1 - len(record))]
            for whole in whole_records(text)
            for record in read_records(whole, self.delimiter)
        )
        return write_records(
            ([record[position] for position in order] for record in records), self.delimiter, self.line_end
        )


def columns_of(head: bytes, delimiter: str) -> list[Column]:
    """Return the columns that a page's header names."""
    columns: list[Column] = []
    names: Counter[str] = Counter()
    for name in next(read_records(head, delimiter), []):
        columns.append((name, names[name]))
        names[name] += 1
    return columns


def split_head(blocks: Iterator[bytes], *, is_gzip: bool) -> tuple[bytes, Iterator[bytes]]:
    """Return the header of a stored page, and its rows as they are stored. Raises UnreadablePage."""
    head = b""
    member = isal_zlib.decompressobj(GZIP)
    for block in blocks:
        if is_gzip:
            head += member.decompress(block, ROW_BYTES_MAX + 1)
            check_row_size(len(head))
            if member.eof:
                return head, itertools.chain([member.unused_data], blocks)
        else:
            head += block
            check_row_size(len(head))
            if end := record_end(head):
                return head[:end], itertools.chain([head[end:]], blocks)
    raise UnreadablePage("a stored page has no header")

"""From staged pages to a delivery's files: each is written once, published once, and listed as a part."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from actorline.delivery.execution import Execution
from actorline.delivery.formats.csv_assembly import CsvAssembly
from actorline.delivery.formats.gzip_members import StoredFile
from actorline.delivery.formats.json_assembly import ArrayAssembly, LinesAssembly
from actorline.delivery.formats.parquet_assembly import ParquetAssembly
from actorline.delivery.formats.staged_page import Assembly, StagedPage
from actorline.delivery.formats.table import Format, Query, delimiter_of
from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.manifest import Part, parts_of
from actorline.delivery.publish_over import publish_over
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import Sink, SinkError
from actorline.delivery.sink.names import STAGED_PAGES

REMOVALS_AT_ONCE: Final = 8  # each is a round trip to an object store


@dataclass(frozen=True)
class Rows:
    """The delivered rows, as the manifest lists them."""

    parts: list[Part]
    format: str
    compression: str


@dataclass(frozen=True)
class Assembler:
    """What becomes of the pages of one attempt, whose files lie in `folder` of the sink.

    `query`: the order's parameters.
    """

    sink: Sink
    folder: str
    format_: Format
    query: Query
    compression: str
    single_file: bool
    execution: Execution

    def assemble(self, receipts: Sequence[Receipt]) -> Rows:
        """Return the parts in the order of the rows; pages that are no parts yet are put together, where there are
        rows.

        Safe to repeat: what a killed execution left is taken, or replaced if it holds other rows. Raises
        AssemblyFailed; SinkError, also for a page that isn't what its receipt says; what the execution's calls raise.
        """
        compression = "gzip" if self.format_.is_gzipped(self.compression) else "none"
        if not self.format_.is_staged(single_file=self.single_file):
            return Rows(parts_of(receipts), self.format_.name, compression)
        pages = [
            StagedPage(receipt, self.sink, self._pages_are_gzip, self.execution.keep_alive)
            for receipt in sorted(receipts, key=lambda receipt: receipt.offset)
            if receipt.part
        ]
        try:
            return Rows(self._write_all(pages) if pages else [], self.format_.name, compression)
        except UnreadablePage as error:
            raise SinkError(f"The pages stored in {self.sink} are damaged: {error}. Order the rows again.") from None

    def leave(self, receipts: Sequence[Receipt]) -> Rows:
        """Return the pages as they are, for parts."""
        return Rows(parts_of(receipts), self.format_.asks["format"], "gzip" if self._pages_are_gzip else "none")

    @property
    def _pages_are_gzip(self) -> bool:
        return self.format_.page_is_gzipped(self.compression)

    def _write_all(self, pages: list[StagedPage]) -> list[Part]:
        assembly = self._assembly(pages)
        if self.single_file:
            return [self._write(assembly, pages, self.format_.file_name(None, self.compression), is_first=True)]

        def write(page: StagedPage) -> Part:
            name = self.format_.file_name(page.receipt.page_no, self.compression)
            return self._write(assembly, [page], name, is_first=page is pages[0])

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return list(threads.map(write, pages))

    def _assembly(self, pages: list[StagedPage]) -> Assembly:
        match self.format_.name:
            case "csv":
                return CsvAssembly.of(
                    pages,
                    delimiter=delimiter_of(self.query),
                    bom=self.query.get("bom") != "false",
                    header=self.query.get("skipHeaderRow") != "true",
                )
            case "parquet":
                return ParquetAssembly.of(pages)
            case "json":
                return ArrayAssembly()
            case _:
                return LinesAssembly()

    def _write(self, assembly: Assembly, pages: list[StagedPage], file_name: str, *, is_first: bool) -> Part:
        name = self.folder + file_name
        with self.sink.staging(name, self.execution.token) as file:
            out = StoredFile(file, compress=self.format_.is_gzipped(self.compression))
            assembly.write(pages, out, is_first=is_first)
            out.close()
            self.execution.keep_alive()
            aside = f"{self.folder}{STAGED_PAGES}/{self.execution.token}-{file_name}"
            publish_over(self.sink, file, name, out.size, out.sha256, aside=aside, confirm=self.execution.confirm)
        receipts = [page.receipt for page in pages]
        return Part(
            name=name,
            offset=receipts[0].offset,
            limit=sum(receipt.limit for receipt in receipts),
            scanned=sum(receipt.scanned for receipt in receipts),
            items=sum(receipt.items for receipt in receipts),
            bytes=out.size,
            sha256=out.sha256,
        )


def remove_staged(sink: Sink, folder: str) -> None:
    """Remove the staged pages of an attempt whose delivery is complete."""
    names = sink.files_in(f"{folder}{STAGED_PAGES}/")
    with ThreadPoolExecutor(REMOVALS_AT_ONCE) as threads:
        list(threads.map(sink.remove, names))

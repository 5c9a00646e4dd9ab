"""From staged pages to a delivery's files: each is written once, published once, and listed as a part."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from actorline.delivery.csv_assembly import CsvAssembly
from actorline.delivery.formats import STAGED, Format, Query, delimiter_of
from actorline.delivery.gzip_members import StoredFile
from actorline.delivery.json_assembly import ArrayAssembly, LinesAssembly
from actorline.delivery.manifest import Part
from actorline.delivery.page_text import UnreadablePage
from actorline.delivery.parquet_assembly import ParquetAssembly
from actorline.delivery.reading import measure
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import Sink, SinkError
from actorline.delivery.staged_page import Assembly, StagedPage


@dataclass(frozen=True)
class Assembler:
    """For one execution at a time. `query`: the order's parameters. `keep_alive` is called between blocks."""

    sink: Sink
    format_: Format
    query: Query
    compression: str
    execution: str
    keep_alive: Callable[[], None]

    def assemble(self, receipts: Sequence[Receipt], *, single_file: bool) -> list[Part]:
        """The parts in the order of the rows; without rows there are none. What a killed execution left is replaced.

        Raises SinkError, also for a page that isn't what its receipt says; AssemblyError; what `keep_alive` raises.
        """
        is_gzip = self.format_.page_is_gzipped(self.compression)
        pages = [
            StagedPage(receipt, self.sink, is_gzip, self.keep_alive)
            for receipt in sorted(receipts, key=lambda receipt: receipt.offset)
            if receipt.part
        ]
        if not pages:
            return []
        try:
            assembly = self._assembly(pages)
            if single_file:
                return [self._write(assembly, pages, self.format_.file_name(None, self.compression), is_first=True)]
            return self._write_parts(assembly, pages)
        except UnreadablePage as error:
            message = f"What was staged in {self.sink} is damaged: {error}. Order the rows again."
            raise SinkError(message) from None

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

    def _write_parts(self, assembly: Assembly, pages: list[StagedPage]) -> list[Part]:
        def write(page: StagedPage) -> Part:
            name = self.format_.file_name(page.receipt.page_no, self.compression)
            return self._write(assembly, [page], name, is_first=page is pages[0])

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return list(threads.map(write, pages))

    def _write(self, assembly: Assembly, pages: list[StagedPage], name: str, *, is_first: bool) -> Part:
        with self.sink.staging(name, self.execution) as file:
            out = StoredFile(file, compress=self.format_.is_gzipped(self.compression))
            assembly.write(pages, out, is_first=is_first)
            out.close()
            self.keep_alive()
            if not self.sink.publish(file, name) and not self._holds(name, out):
                self.sink.move(name, f"{STAGED}/{self.execution}-{name}")
                if not self.sink.publish(file, name):
                    message = f"The sink {self.sink} can't hold {name}: others write there all the time."
                    raise SinkError(message)
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

    def _holds(self, name: str, made: StoredFile) -> bool:
        """Whether the file that lies there is the same."""
        with self.sink.open(name) as file:
            return measure(file) == (made.size, made.sha256)

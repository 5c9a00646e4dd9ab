"""Parquet with one schema: the shape of every page is taken first, then all rows are written by that of the whole.

The work is done in processes of their own (`actorline.delivery.formats.parquet`), one a core for the shapes.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from typing import Final

import orjson

from actorline.delivery.formats.child import ChildFailed, run_child
from actorline.delivery.formats.gzip_members import StoredFile
from actorline.delivery.formats.parquet import NO_TABLE
from actorline.delivery.formats.shapes import NotATable, Shape
from actorline.delivery.formats.staged_page import AssemblyFailed, StagedPage

MODULE: Final = "actorline.delivery.formats.parquet"


@dataclass(frozen=True)
class ParquetAssembly:
    shape: Shape

    @classmethod
    def of(cls, pages: list[StagedPage]) -> "ParquetAssembly":
        """Read every page. Raises SinkError, AssemblyFailed, and what `keep_alive` raises."""
        whole = Shape()
        cores = os.cpu_count() or 1
        size = -(-len(pages) // cores)
        shares = [pages[start : start + size] for start in range(0, len(pages), size)]
        with ThreadPoolExecutor(cores) as threads:
            try:
                for shape in threads.map(_shape_of, shares):
                    whole.merge(shape)
            except NotATable as error:
                raise AssemblyFailed(str(error)) from None
        return cls(whole)

    def write(self, pages: list[StagedPage], out: StoredFile, *, is_first: bool) -> None:  # noqa: ARG002 - all alike
        shape = orjson.dumps(self.shape.dump()) + b"\n"
        rows = sum(page.receipt.items for page in pages)
        _convert(["write", str(rows)], chain([shape], *(page.blocks() for page in pages)), out.write, pages)


def has_parquet() -> bool:
    """Return whether the library is there: the extra `parquet`."""
    return find_spec("pyarrow") is not None


def _shape_of(pages: list[StagedPage]) -> Shape:
    made: list[bytes] = []
    _convert(["shape"], chain.from_iterable(page.blocks() for page in pages), made.append, pages)
    return Shape.load(orjson.loads(b"".join(made)))


def _convert(
    arguments: list[str], source: Iterator[bytes], take: Callable[[bytes], object], pages: list[StagedPage]
) -> None:
    try:
        run_child(MODULE, *arguments, source=source, take=take, keep_alive=pages[0].keep_alive)
    except ChildFailed as error:
        why = str(error) if error.status == NO_TABLE else f"the conversion broke (exit code {error.status}: {error})"
        raise AssemblyFailed(why) from None

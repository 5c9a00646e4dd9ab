"""Delivered rows as Python values, read out of the text or the files of each format; memory holds one block."""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

from actorline.delivery.formats.csv_text import BOM, read_records, whole_records
from actorline.delivery.formats.text import check_row_size

BATCH_ROWS: Final = 1000


def text_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a text, without the newline; an empty end is none. Raises UnreadablePage."""
    begun: list[bytes] = []
    for block in blocks:
        first, *rest = block.split(b"\n")
        begun.append(first)
        check_row_size(sum(map(len, begun)))
        if rest:
            yield b"".join(begun)
            yield from rest[:-1]
            begun = [rest[-1]]
    if last := b"".join(begun):
        yield last


def csv_rows(blocks: Iterable[bytes], delimiter: str) -> Iterator[dict[str, str]]:
    """Yield column -> cell of each record under the header; every cell is a string. Raises UnreadablePage."""
    records = (
        record for text in whole_records(iter(blocks)) for record in read_records(text.removeprefix(BOM), delimiter)
    )
    columns = next(records, [])
    for record in records:
        yield dict(zip(columns, record or [""] * len(columns), strict=True))


def parquet_rows(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the rows of one file. Raises ImportError without pyarrow."""
    from pyarrow.parquet import ParquetFile

    for batch in ParquetFile(file).iter_batches(BATCH_ROWS):
        yield from batch.to_pylist()

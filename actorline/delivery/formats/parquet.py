"""JSON lines become Parquet: a process of its own, for building Python values out of JSON holds the interpreter.

    python -m actorline.delivery.formats.parquet shape            < page > shape (JSON)
    python -m actorline.delivery.formats.parquet write ROWS       < shape, newline, pages > file

A page is JSON lines, as gzip or plain. Columns are the fields of all items, in the order in which they first come:

    true, false       bool
    integers          int64; double if any of them has a fraction or more than 64 bits
    strings           string; also a column of nulls only
    objects           struct
    arrays            list
    anything mixed    string that holds the value as JSON; also objects with no fields, too many or too deep ones

Exit codes: 0; 3 the items can't be a table, with the reason on standard error; 1 our fault, with its class alone, for
an error's text may hold an item.
"""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import orjson

from actorline.delivery.formats.deep_json import parse_deep, with_whole_characters
from actorline.delivery.formats.gzip_members import BLOCK_BYTES
from actorline.delivery.formats.shapes import SHAPE_DEPTH_MAX, NotATable, Shape, shape_of
from actorline.delivery.formats.text import ROW_BYTES_MAX, UnreadablePage
from actorline.delivery.process_memory import bound_memory
from actorline.inflate import Inflate

NO_TABLE: Final = 3
BATCH_BYTES: Final = 4_000_000  # of JSON text: ten times that as Python values
ROW_GROUP_BYTES: Final = 64_000_000  # of Arrow memory: what a reader holds at least
GZIP_MAGIC: Final = b"\x1f\x8b"
MEMORY_BYTES: Final = 3 * 1024**3  # Arrow reserves 1 GB; measured beside it: 0.3 GB for rows of 400 bytes or of 9 MB
SHAPE_BYTES_MAX: Final = 64_000_000  # the worker holds the shapes of all pages
LEVELS_MAX: Final = 10_000  # what orjson reads has 1,024; at 1,000 Python would stop writing it as JSON text

Convert = Callable[[Any], Any]


def main(command: str, rows: str = "") -> int:
    source, target = sys.stdin.buffer, sys.stdout.buffer
    bound_memory(MEMORY_BYTES)
    sys.setrecursionlimit(LEVELS_MAX)
    try:
        if command == "shape":
            target.write(shape_text(source))
        else:
            write(source, target, Shape.load(orjson.loads(source.readline())), rows=int(rows))
        target.flush()
    except NotATable as error:
        sys.stderr.write(str(error))
        return NO_TABLE
    except (MemoryError, SystemError):  # the second is orjson's, where there is no memory for a value
        sys.stderr.write(f"their conversion takes more than {MEMORY_BYTES // 1024**3} GB of memory")
        return NO_TABLE
    except Exception as error:  # noqa: BLE001 - the border of the process
        sys.stderr.write(type(error).__name__)
        return 1
    return 0


def shape_text(source: BinaryIO) -> bytes:
    """Return the shape of all items as JSON. Raises NotATable."""
    text = orjson.dumps(shape_of(item for items in item_batches(source) for item in items).dump())
    if len(text) > SHAPE_BYTES_MAX:
        raise NotATable(f"the names of their fields take more than {SHAPE_BYTES_MAX:,} bytes")
    return text


def item_batches(source: BinaryIO) -> Iterator[list[dict[str, Any]]]:
    """Yield the items of JSON lines, some thousands at a time. Raises NotATable."""
    rest = b""
    for text in _plain(source):
        rest += text
        if len(rest) > BATCH_BYTES:
            whole, _, rest = rest.rpartition(b"\n")
            if len(rest) > ROW_BYTES_MAX:
                raise NotATable(f"an item has more than {ROW_BYTES_MAX:,} bytes")
            yield [_item(line) for line in whole.split(b"\n") if line]
    if rest:
        yield [_item(line) for line in rest.split(b"\n") if line]


def write(source: BinaryIO, target: BinaryIO, shape: Shape, *, rows: int) -> None:
    """Write all items as one file, whose row groups bound the memory. Raises NotATable, also if there aren't as many
    as `rows`.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([pa.field(name, arrow_type(one)) for name, one in shape.fields.items()])
    columns = [(name, converter(one), schema.field(name).type) for name, one in shape.fields.items()]
    with parquet.ParquetWriter(_CountedFile(target), schema, compression="zstd") as writer:
        held: list[Any] = []
        written = 0
        for items in item_batches(source):
            if not columns:
                raise NotATable("no item has any field")
            arrays = [pa.array(map(convert, _values(items, name)), kind) for name, convert, kind in columns]
            written += len(items)
            held.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
            if sum(batch.nbytes for batch in held) > ROW_GROUP_BYTES:
                writer.write_table(pa.Table.from_batches(held, schema))
                held.clear()
        writer.write_table(pa.Table.from_batches(held, schema))
    if written != rows:
        raise NotATable(f"only {written:,} of {rows:,} rows were converted")


def arrow_type(shape: Shape) -> Any:
    """Return the Arrow type that holds every value of a shape."""
    import pyarrow as pa

    match sorted(shape.kinds):
        case ["bool"]:
            return pa.bool_()
        case ["int"]:
            return pa.int64()
        case ["float"] | ["float", "int"]:
            return pa.float64()
        case ["object"] if shape.fields:
            return pa.struct([pa.field(name, arrow_type(one)) for name, one in shape.fields.items()])
        case ["array"]:
            return pa.list_(arrow_type(shape.element or Shape()))
        case _:
            return pa.string()


def converter(shape: Shape) -> Convert:
    """Return what makes a value of the shape into one that its Arrow type takes."""
    match sorted(shape.kinds):
        case [] | ["bool"] | ["int"] | ["str"]:
            return _same
        case ["float"] | ["float", "int"]:
            return lambda value: None if value is None else float(value)
        case ["object"] if shape.fields:
            return _struct_converter({name: converter(one) for name, one in shape.fields.items()})
        case ["array"]:
            return _list_converter(converter(shape.element or Shape()))
        case _:
            return lambda value: None if value is None else json_text(value)


def json_text(value: Any) -> str:
    """Return the value as JSON; orjson writes at most 254 levels."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _same(value: Any) -> Any:
    return value


def _struct_converter(fields: dict[str, Convert]) -> Convert:
    changing = {name: convert for name, convert in fields.items() if convert is not _same}
    if not changing:
        return _same

    def convert(value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is None:
            return None
        return value | {name: change(value[name]) for name, change in changing.items() if name in value}

    return convert


def _list_converter(change: Convert) -> Convert:
    if change is _same:
        return _same
    return lambda value: None if value is None else [change(one) for one in value]


def _values(items: list[dict[str, Any]], name: str) -> Iterator[Any]:
    return (item.get(name) for item in items)


def _item(line: bytes) -> dict[str, Any]:
    """Half surrogates, which JavaScript writes, can't be in a table's strings; what is nested too deeply to be read
    stays the text that its column holds.
    """
    try:
        item = orjson.loads(line)
    except orjson.JSONDecodeError:
        item = parse_deep(with_whole_characters(line), raw_below=SHAPE_DEPTH_MAX)
    if not isinstance(item, dict):
        raise NotATable("an item is not an object")
    return item


def _plain(source: BinaryIO) -> Iterator[bytes]:
    """Yield the text of standard input, whichever way it is stored."""
    block = source.read(BLOCK_BYTES)
    inflate = Inflate(UnreadablePage) if block.startswith(GZIP_MAGIC) else None
    while block:
        yield from inflate.feed(block) if inflate else (block,)
        block = source.read(BLOCK_BYTES)
    if inflate:
        inflate.finish()


class _CountedFile:
    """A pipe that knows how much went through it, as Parquet's offsets need it."""

    closed = False

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._written = 0

    def write(self, block: Any) -> int:
        size = memoryview(block).nbytes
        self._target.write(block)
        self._written += size
        return size

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        self._target.flush()

    def close(self) -> None:
        self._target.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

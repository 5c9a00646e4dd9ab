import csv
import gzip
import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import Served

from actorline.delivery.assembler import Assembler, remove_staged
from actorline.delivery.execution import Execution
from actorline.delivery.formats.staged_page import AssemblyFailed
from actorline.delivery.formats.table import FORMATS
from actorline.delivery.manifest import Part
from actorline.delivery.page_plan import Window
from actorline.delivery.part import download_window
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import SinkError, open_sink
from actorline.delivery.sink.names import STAGED_PAGES, STAGING
from actorline.emulator.dataset.formats import FORMATS as WRITTEN
from actorline.emulator.dataset.tables import flattened
from actorline.emulator.params import Params
from actorline.identifiers import ExecutionToken

Items = list[dict[str, Any]]

names = st.sampled_from(["a", "b", "c", "a/0", "a,b", 'q"', "é"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(-1e9, 1e9)
    | st.text('x,"\n\r;é\x00', max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
items = st.dictionaries(names, values, min_size=1, max_size=3)
windows_of = st.lists(st.lists(items, min_size=1, max_size=4), min_size=1, max_size=4)


def execution(
    token: str = "e", keep_alive: Callable[[], None] = lambda: None, confirm: Callable[[], None] = lambda: None
) -> Execution:
    return Execution(ExecutionToken(token), keep_alive, confirm)


class Delivery:
    """Pages staged in a folder as a fetch stages them, and what is made of them."""

    def __init__(self, folder: Path, name: str, compression: str = "gzip", **query: str) -> None:
        self.format, self.compression, self.query = FORMATS[name], compression, query
        self.folder, self.sink = folder, open_sink(folder.as_uri())

    def stage(self, windows: list[Items], *, single_file: bool) -> list[Receipt]:
        receipts: list[Receipt] = []
        for no, window in enumerate(windows):
            offset = sum(map(len, windows[:no]))
            name = self.format.page_name(no, self.compression, single_file=single_file)
            response = Served(
                self._text(window), len(window), content_type=WRITTEN[self.format.asks["format"]].media_type
            )
            with self.sink.staging(name, "e") as file:
                facts = download_window(
                    lambda _offset, _limit, response=response: response,
                    Window(page_no=no, offset=offset, limit=len(window)),
                    file,
                    text=self.format.reads(self.query),
                    expected=0,
                    compress=self.format.page_is_gzipped(self.compression),
                    keeps_count=True,
                    keep_alive=lambda: None,
                )
                assert self.sink.publish(file, name)
            receipts.append(
                Receipt(
                    page_no=no,
                    offset=offset,
                    limit=len(window),
                    scanned=facts.scanned,
                    items=facts.items,
                    bytes=facts.bytes,
                    sha256=facts.sha256,
                    part=name,
                )
            )
        return receipts

    def assembler(self, **options: Any) -> Assembler:
        stands: dict[str, Any] = {
            "sink": self.sink, "folder": "", "format_": self.format, "query": self.query,
            "compression": self.compression, "execution": execution(),
        }  # fmt: skip
        return Assembler(**(stands | options))

    def assemble(self, receipts: list[Receipt], *, single_file: bool, **options: Any) -> list[Part]:
        rows = self.assembler(single_file=single_file, **options).assemble(receipts)
        assert (rows.format, rows.compression) == (self.format.name, "gzip" if self.is_gzip else "none")
        parts = rows.parts
        for part in parts:
            stored = (self.folder / part.name).read_bytes()
            assert (part.bytes, part.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
        return parts

    def text(self, parts: list[Part]) -> bytes:
        stored = b"".join((self.folder / part.name).read_bytes() for part in parts)
        return gzip.decompress(stored) if self.is_gzip else stored

    @property
    def is_gzip(self) -> bool:
        return self.format.is_gzipped(self.compression)

    def _text(self, window: Items) -> bytes:
        lines = b"".join(json.dumps(_rounded(item)).encode() + b"\n" for item in window)
        asked = Params(self.format.query(self.query))
        return b"".join(WRITTEN[self.format.asks["format"]].body(lambda: iter([lines]), asked, "d"))


def _rounded(value: Any) -> Any:
    """As JavaScript would have it: an integer beyond 64 bits is a double."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    is_large = isinstance(value, int) and not -(2**63) <= value < 2**64
    return float(value) if is_large else value


def made(name: str, windows: list[Items], *, single_file: bool, compression: str = "gzip", **query: str):
    """The assembled text, and the parts."""
    with tempfile.TemporaryDirectory() as folder:
        delivery = Delivery(Path(folder), name, compression, **query)
        parts = delivery.assemble(delivery.stage(windows, single_file=single_file), single_file=single_file)
        assert sum(part.items for part in parts) == sum(map(len, windows))
        return delivery.text(parts), parts


compressions = st.sampled_from(["gzip", "none"])


@settings(max_examples=30)
@given(windows=windows_of, compression=compressions)
def test_a_single_file_of_json_is_one_valid_array_or_all_lines(windows, compression):
    expected = [_rounded(item) for window in windows for item in window]
    array, (part,) = made("json", windows, single_file=True, compression=compression)
    assert json.loads(array) == expected
    assert (part.name, part.offset, part.scanned) == (f"items.json{'.gz' * (compression == 'gzip')}", 0, len(expected))
    lines, _ = made("jsonl", windows, single_file=True, compression=compression)
    assert [json.loads(line) for line in lines.split(b"\n")[:-1]] == expected


@settings(max_examples=60)
@given(
    windows=windows_of,
    compression=compressions,
    single_file=st.booleans(),
    bom=st.booleans(),
    header=st.booleans(),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_no_csv_row_is_ever_under_a_wrong_column(windows, compression, single_file, bom, header, delimiter):
    query = {"bom": str(bom).lower(), "skipHeaderRow": str(not header).lower(), "delimiter": delimiter}
    text, parts = made("csv", windows, single_file=single_file, compression=compression, **query)
    assert len(parts) == (1 if single_file else len(windows))
    assert text.startswith("\ufeff".encode()) == bom
    records = list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""), delimiter=delimiter, strict=True))
    cells = [flattened(_rounded(item)) for window in windows for item in window]
    columns = list(dict.fromkeys(name for row in cells for name in row))
    if header and columns:
        assert records.pop(0) == columns
    assert [record or [""] * len(columns) for record in records] == [
        [row.get(name, "") for name in columns] for row in cells
    ]


def test_csv_pages_with_the_same_columns_are_copied():
    windows = [[{"a": n, "b": "x"}] * 3 for n in range(4)]
    text, parts = made("csv", windows, single_file=False, bom="false")
    assert text.split(b"\r\n")[0] == b"a,b"
    assert [part.items for part in parts] == [3, 3, 3, 3]
    assert len({part.bytes for part in parts[1:]}) == 1


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        (b"\n\n", b"x,y\r\n1,2\r\n", b"x,y\r\n,\r\n1,2\r\n"),
        (b"x,x,y\n1,2,3\n", b"y,x\n4,5\n", b"x,x,y\n1,2,3\n5,,4\n"),
    ],
    ids=["page-without-columns-decides-no-line-end", "name-that-stands-twice-stays-two-columns"],
)
def test_csv_pages_of_different_headers_become_one_table(tmp_path, first, second, whole):
    delivery = Delivery(tmp_path, "csv", "none", bom="false")
    texts = {"a": first, "b": second}
    delivery._text = lambda window: texts[window[0]["page"]]
    parts = delivery.assemble(delivery.stage([[{"page": "a"}], [{"page": "b"}]], single_file=True), single_file=True)
    assert delivery.text(parts) == whole


def parquet_rows(windows: list[Items], *, single_file: bool = True) -> tuple[Any, Items]:
    with tempfile.TemporaryDirectory() as folder:
        delivery = Delivery(Path(folder), "parquet")
        parts = delivery.assemble(delivery.stage(windows, single_file=single_file), single_file=single_file)
        assert [part.name for part in parts] == (
            ["items.parquet"] if single_file else [f"part-{no:05}.parquet" for no in range(len(windows))]
        )
        tables = [pq.read_table(Path(folder) / part.name) for part in parts]
        assert len({str(table.schema) for table in tables}) == 1
        return tables[0].schema, [row for table in tables for row in table.to_pylist()]


@pytest.mark.parametrize("single_file", [False, True])
def test_drift_loses_no_column_and_no_value(single_file):
    windows = [
        [{"id": 1, "price": 5, "tags": [], "at": {"x": 1}, "mixed": "a"}, {"id": 2, "price": None}],
        [{"id": 3, "price": 5.5, "new": True, "at": {"y": "z"}, "mixed": 7, "big": 2**63}, {"id": 4, "half": "\ud83d"}],
        [{"id": 5, "tags": ["t"], "mixed": {"k": [1]}, "nothing": {}, "null": None}],
    ]
    schema, rows = parquet_rows(windows, single_file=single_file)
    assert {field.name: str(field.type) for field in schema} == {
        "id": "int64", "price": "double", "tags": "list<element: string>", "at": "struct<x: int64, y: string>",
        "mixed": "string", "new": "bool", "big": "double", "half": "string", "nothing": "string", "null": "string",
    }  # fmt: skip
    assert [row["id"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["price"] for row in rows] == [5.0, None, 5.5, None, None]
    assert [row["at"] for row in rows] == [{"x": 1, "y": None}, None, {"x": None, "y": "z"}, None, None]
    assert [row["tags"] for row in rows] == [[], None, None, None, ["t"]]
    assert [row["mixed"] for row in rows] == ['"a"', None, "7", None, '{"k":[1]}']
    assert (rows[2]["big"], rows[3]["half"], rows[4]["nothing"]) == (2.0**63, "\ufffd", "{}")


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([{f"c{n}": 1 for n in range(2001)}], "more than 2,000 different fields"),
        ([{}], "no item has any field"),
        ([[1]], "an item is not an object"),
    ],
)
def test_items_that_are_no_table_are_no_broken_conversion(tmp_path, items, why):
    delivery = Delivery(tmp_path, "parquet")
    receipts = delivery.stage([items], single_file=True)
    with pytest.raises(AssemblyFailed, match=why):
        delivery.assemble(receipts, single_file=True)


@pytest.mark.parametrize("name", ["jsonl", "json", "csv", "parquet"])
def test_a_page_that_changed_since_it_was_stored_is_told(tmp_path, name):
    delivery = Delivery(tmp_path, name, "none")
    receipts = delivery.stage([[{"a": 1}], [{"b": "22"}]], single_file=True)
    path = tmp_path / receipts[1].part
    path.write_bytes(path.read_bytes().replace(b"22", b"23") if name != "parquet" else gzip.compress(b'{"b":"23"}\n'))
    with pytest.raises(SinkError, match="has changed since it was stored"):
        delivery.assemble(receipts, single_file=True)


def test_a_killed_executions_file_with_other_rows_is_replaced(tmp_path):
    delivery = Delivery(tmp_path, "json")
    receipts = delivery.stage([[{"a": 1}], [{"a": 2}]], single_file=True)
    delivery.assemble(receipts[:1], single_file=True, execution=execution("killed"))
    parts = delivery.assemble(receipts, single_file=True, execution=execution("next"))
    assert json.loads(delivery.text(parts)) == [{"a": 1}, {"a": 2}]
    assert delivery.assemble(receipts, single_file=True, execution=execution("third")) == parts
    assert {path.name for path in tmp_path.iterdir()} == {"items.json.gz", STAGED_PAGES, STAGING}
    remove_staged(delivery.sink, "")
    delivery.sink.clear_staging()
    assert {path.name for path in tmp_path.iterdir()} == {"items.json.gz"}


def test_nothing_is_replaced_by_an_execution_that_lost_the_job(tmp_path):
    class Superseded(Exception):
        pass

    def refuse() -> None:
        raise Superseded

    delivery = Delivery(tmp_path, "json")
    receipts = delivery.stage([[{"a": 1}], [{"a": 2}]], single_file=True)
    parts = delivery.assemble(receipts, single_file=True)
    with pytest.raises(Superseded):
        delivery.assemble(receipts[:1], single_file=True, execution=execution("stale", confirm=refuse))
    assert json.loads(delivery.text(parts)) == [{"a": 1}, {"a": 2}]


def test_files_of_a_later_attempt_lie_in_its_folder(tmp_path):
    delivery = Delivery(tmp_path, "csv")
    parts = delivery.assemble(delivery.stage([[{"a": 1}]], single_file=True), single_file=True, folder="attempt-2/")
    assert [part.name for part in parts] == ["attempt-2/items.csv.gz"]


def test_pages_that_are_parts_already_are_listed_as_they_are(tmp_path):
    delivery = Delivery(tmp_path, "jsonl")
    receipts = delivery.stage([[{"a": 1}], [{"a": 2}]], single_file=False)
    parts = delivery.assemble(receipts, single_file=False)
    assert [part.name for part in parts] == ["part-00000.jsonl.gz", "part-00001.jsonl.gz"]
    assert delivery.text(parts) == b'{"a": 1}\n{"a": 2}\n'


def test_no_rows_make_no_file(tmp_path):
    delivery = Delivery(tmp_path, "csv")
    assert delivery.assemble([], single_file=True) == []


def test_keep_alive_may_stop_a_conversion(tmp_path):
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    delivery = Delivery(tmp_path, "parquet")
    receipts = delivery.stage([[{"a": 1}]], single_file=True)
    with pytest.raises(Stopped):
        delivery.assemble(receipts, single_file=True, execution=execution(keep_alive=stop))

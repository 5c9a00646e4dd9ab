import io
import itertools
import json
import random
import subprocess
import sys
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorline.delivery.formats import parquet
from actorline.delivery.formats.parquet import item_batches, write
from actorline.delivery.formats.shapes import FIELDS_MAX, SHAPE_DEPTH_MAX, Shape, shape_of

names = st.sampled_from(["a", "b", "c", "", "a.b", "é"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(-1e9, 1e9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
items_of = st.lists(st.dictionaries(names, values, min_size=1, max_size=3), min_size=1, max_size=8)


def lines(items: list[Any]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def written(items: list[Any], shape: Shape) -> pq.ParquetFile:
    target = io.BytesIO()
    write(io.BytesIO(lines(items)), target, shape, rows=len(items))
    return pq.ParquetFile(target)


def holds(stored: Any, value: Any) -> bool:
    """Whether a value read from Parquet is the one that was written, or its JSON text."""
    if isinstance(stored, str) and stored != value:
        return json.loads(stored) == value
    if isinstance(value, dict) and isinstance(stored, dict):
        return value.keys() <= stored.keys() and all(holds(one, value.get(name)) for name, one in stored.items())
    if isinstance(value, list) and isinstance(stored, list):
        return len(value) == len(stored) and all(map(holds, stored, value))
    return stored == (float(value) if isinstance(stored, float) else value)


@given(items=items_of, cut=st.integers(0, 8))
def test_every_value_is_in_the_file_whatever_its_kind(items, cut):
    shape = shape_of(items[:cut])
    shape.merge(Shape.load(json.loads(json.dumps(shape_of(items[cut:]).dump()))))
    assert shape.dump() == shape_of(items).dump()
    rows = written(items, shape).read().to_pylist()
    for row, item in itertools.zip_longest(rows, items):
        assert all(holds(row[name], item.get(name)) for name in row)
        assert item.keys() <= row.keys()


def test_objects_with_names_for_keys_become_json():
    item = {"prices": {f"day {n}": n for n in range(FIELDS_MAX + 1)}}
    (row,) = written([item], shape_of([item])).read().to_pylist()
    assert json.loads(row["prices"]) == item["prices"]
    halves = [{"prices": dict(itertools.islice(item["prices"].items(), start, start + 150))} for start in (0, 51)]
    shape = shape_of(halves[:1])
    shape.merge(shape_of(halves[1:]))
    assert [json.loads(row["prices"]) for row in written(halves, shape).read().to_pylist()] == [
        half["prices"] for half in halves
    ]


def test_values_that_are_nested_too_deep_become_json():
    deep: Any = 1
    for _ in range(SHAPE_DEPTH_MAX + 20):
        deep = {"x": [deep]}
    item = {"a": deep}
    (row,) = written([item], shape_of([item])).read().to_pylist()
    inner, value = row["a"], deep
    while not isinstance(inner, str):
        inner, value = (inner["x"], value["x"]) if isinstance(inner, dict) else (inner[0], value[0])
    assert json.loads(inner) == value


def test_row_groups_and_batches_bound_the_memory(monkeypatch):
    monkeypatch.setattr(parquet, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(parquet, "BATCH_BYTES", 2000)
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 20_000)
    chance = random.Random(1)
    items = [{"id": n, "text": f"{chance.random()}"} for n in range(5000)]
    assert max(map(len, item_batches(io.BytesIO(lines(items))))) < 100
    file = written(items, shape_of(items))
    assert file.metadata.num_row_groups > 3
    assert file.read().to_pylist() == items


def test_shapes_are_remembered_not_looked_at_again():
    forms = Shape()
    for n in range(10):
        forms.observe({"a": n, "b": {"c": [n]}})
    forms.observe({"a": 2**63, "b": {"c": ["x"]}})
    assert forms.dump()["fields"]["a"]["kinds"] == ["float", "int"]
    assert forms.dump()["fields"]["b"]["fields"]["c"]["element"]["kinds"] == ["int", "str"]


@pytest.mark.parametrize("levels", [300, 1020, 5000])
def test_what_is_nested_deeply_is_json_text_in_its_column(levels):
    deep = "[" * levels + "]" * levels
    row, other = convert(f'{{"id":1,"t":{deep}}}\n{{"id":2,"half":"\\ud83d"}}\n'.encode(), rows=2)
    column, lists = row["t"], 0
    while isinstance(column, list):
        (column,), lists = column, lists + 1
    assert "[" * lists + column + "]" * lists == deep
    assert (row["id"], lists, other["half"]) == (1, SHAPE_DEPTH_MAX - 1, "\ufffd")


def convert(text: bytes, *, rows: int, before: str = "pass") -> list[dict[str, Any]]:
    """Runs both steps in processes of their own, as a job does."""

    def run(source: bytes, *arguments: str) -> bytes:
        imports = "import sys; from actorline.delivery.formats import parquet"
        code = f"{imports}; {before}; sys.exit(parquet.main(*sys.argv[1:]))"
        done = subprocess.run([sys.executable, "-c", code, *arguments], input=source, capture_output=True, check=False)
        assert done.returncode == 0, (done.returncode, done.stderr.decode())
        return done.stdout

    shape = run(text, "shape")
    return pq.read_table(io.BytesIO(run(shape + b"\n" + text, "write", str(rows)))).to_pylist()


def test_a_conversion_that_takes_too_much_memory_says_so():
    with pytest.raises(AssertionError, match=r"3, .*more than 0 GB of memory"):
        convert(b'{"a":"' + b"x" * 30_000_000 + b'"}\n', rows=1, before="parquet.MEMORY_BYTES = 100_000_000")

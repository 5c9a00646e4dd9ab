"""Two deliveries compared by DuckDB out of core, against the same computed in memory."""

import io
import json
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_changes import naive_changes

from actorline.delivery.changes import compare as comparison
from actorline.delivery.changes.compare import NotComparable, compare

NUMBERS = st.one_of(st.integers(-5, 5), st.integers(2**62, 2**70), st.floats(allow_nan=False, allow_infinity=False))
TEXTS = st.one_of(st.sampled_from(["1", "1.0", "null", "", "ü", "u\u0308", "\x1f", "\\", '"']), st.text(max_size=4))
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "я"]), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.one_of(st.sampled_from([1, "1", 1.5, "1.5", True, None, "ü", [1], {"a": 1, "b": 2}, 2**70]), VALUES)
ROWS = st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUES, max_size=3)


@st.composite
def rows(draw: Any) -> dict[str, Any]:
    """Few keys, so that they come again, on both sides and on one; some rows have none."""
    row = draw(ROWS)
    if draw(st.integers(0, 9)):
        row["key"] = {"inner": draw(KEYS)}
    return row


@st.composite
def line(draw: Any) -> bytes:
    """A row as text: its fields in any order, its characters escaped or not, with spaces or without."""
    row = draw(rows())
    names = draw(st.permutations(list(row)))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    shuffled = {name: row[name] for name in names}
    return json.dumps(shuffled, ensure_ascii=draw(st.booleans()), separators=separators).encode("utf-8", "strict")


def compared(before: list[bytes], after: list[bytes], paths: list[str]) -> tuple[Any, dict[str, list[bytes]]]:
    sections = [b"".join(row + b"\n" for row in rows) for rows in (before, after)]
    text = b"\x1e\n".join(sections * 2)
    with TemporaryDirectory() as folder:
        counts = compare(io.BytesIO(text), paths, Path(folder), "none")
        files = {file.kind: Path(folder, file.name).read_bytes().splitlines() for file in counts.files}
    return counts, files


@settings(max_examples=25, deadline=None)
@given(
    before=st.lists(line(), max_size=8),
    after=st.lists(line(), max_size=8),
    same=st.lists(line(), max_size=4),
    joined=st.sampled_from([1, 5, comparison.JOINED_ROWS]),
)
def test_changes_are_those_of_a_comparison_in_memory(before, after, same, joined):
    before, after = [*same, *before], [*after, *same]
    with patch.object(comparison, "JOINED_ROWS", joined):
        counts, files = compared(before, after, ["key.inner"])
    expected = naive_changes(before, after, ["key.inner"])
    found = {kind: [json.loads(row) for row in rows] for kind, rows in files.items()}
    assert found["added"] == expected["added"]
    assert found["removed"] == expected["removed"]
    assert [{"before": row["before"], "after": row["after"]} for row in found["changed"]] == expected["changed"]
    assert all(row["fields"] for row in found["changed"])
    assert counts.unchanged + counts.added + counts.changed + counts.repeated_after + counts.without_key_after == len(
        after
    )
    assert (
        counts.unchanged + counts.removed + counts.changed + counts.repeated_before + counts.without_key_before
        == len(before)
    )


def test_a_changed_row_keeps_both_texts_and_names_its_fields():
    before = [b'{"url": "a", "price": 10000000000000000000001, "stock": {"n": 1, "at": [1]}, "old": 1}']
    after = [b'{"stock":{"at":[1],"n":2},"url":"a","price":10000000000000000000002,"new":null}']
    counts, files = compared(before, after, ["url"])
    fields = ["price", "stock.n", "old", "new"]
    assert (counts.changed, json.loads(files["changed"][0])["fields"]) == (1, fields)
    assert files["changed"][0].endswith(b',"before":%b,"after":%b}' % (before[0], after[0]))


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (b'{"k":1,"v":1}', b'{"k":1,"v":"1"}', 1),
        (b'{"k":1,"v":1}', b'{"k":1,"v":1.0}', 1),
        (b'{"k":1,"v":0.1}', b'{"k":1,"v":0.10}', 0),
        (b'{"k":1,"v":1e400}', b'{"k":1,"v":null}', 1),
        (b'{"k":1,"v":1e400}', b'{"k":1,"v":10e399}', 0),
        (b'{"k":1,"v":9007199254740993}', b'{"k":1,"v":9007199254740992}', 1),
        (b'{"k":1,"v":123456789012345678901}', b'{"k":1,"v":123456789012345678902}', 1),
        (rb'{"k":1,"v":"\ud800"}', rb'{"k":1,"v":"\ud801"}', 1),
        (rb'{"k":1,"v":"\u00fc"}', '{"k":1,"v":"ü"}'.encode(), 0),
        (b'{"k":1,"v":{"a":1,"b":2}}', b'{"k":1,"v":{"b":2,"a":1}}', 0),
        (b'{"k":1,"v":[1,2]}', b'{"k":1,"v":[2,1]}', 1),
        (b'{"k":1,"v":null}', b'{"k":1}', 1),
        (b'{"k":1,"v":true}', b'{"k":1,"v":1}', 1),
    ],
)
def test_values_are_compared_exactly(before, after, changed):
    counts, _ = compared([before], [after], ["k"])
    assert (counts.changed, counts.unchanged) == (changed, 1 - changed)


def test_a_row_without_its_key_is_counted_and_compared_with_none():
    counts, files = compared([b'{"v":1}', b'{"k":null}', b"[1]"], [b'{"k":{}}', b'{"v":2}'], ["k"])
    assert (counts.without_key_before, counts.without_key_after, files["added"]) == (3, 1, [b'{"k":{}}'])


def test_a_key_field_may_have_dots_in_its_own_name():
    counts, files = compared([b'{"price.amount":1,"v":1}'], [b'{"price.amount":1,"v":2}'], ["price.amount"])
    assert (counts.changed, counts.without_key_after) == (1, 0)
    assert json.loads(files["changed"][0])["key"] == {"price.amount": 1}


def test_of_rows_with_one_key_the_last_one_counts():
    counts, files = compared([b'{"k":1,"v":1}'], [b'{"k":1,"v":2}', b'{"k":1,"v":1}'], ["k"])
    assert (counts.unchanged, counts.repeated_after, files["changed"]) == (1, 1, [])


def test_a_line_that_is_not_json_is_named():
    with pytest.raises(NotComparable, match="row 2 of the earlier delivery is not JSON"):
        compared([b'{"k":1}', b'{"k":'], [], ["k"])


def test_standard_output_is_for_the_counts_alone(tmp_path):
    with closing(comparison._open(tmp_path)) as database:
        assert database.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (False,)


def test_large_changes_come_in_several_files(monkeypatch):
    monkeypatch.setattr(comparison, "FILE_BYTES", 1000)
    after = [b'{"k":%d,"v":"%b"}' % (number, b"x" * 90) for number in range(50)]
    counts, _ = compared([], after, ["k"])
    names = [file.name for file in counts.files if file.kind == "added"]
    assert names == [f"changes/added-{number:05}.jsonl" for number in range(len(names))]
    assert (len(names) > 3, sum(file.rows for file in counts.files), counts.added) == (True, 50, 50)

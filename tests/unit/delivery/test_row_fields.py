"""Fields that are read without parsing the rows are those that parsing finds."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorline.delivery.formats.json_lines import parse_row
from actorline.delivery.row_fields import RowFields, value_at

NAMES = ["url", "price", "price.amount", "list.0", "\u00fc", 'a "quoted" name']
PATHS = [*NAMES, "price.amount.0", "list.1.url"]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None), max_size=3)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["amount", "url", "0"]), inner),
    max_leaves=4,
)
rows = st.dictionaries(st.sampled_from([*NAMES, "list", "other"]), values)
written = st.builds(
    lambda row, is_ascii: json.dumps(row, ensure_ascii=is_ascii).encode(errors="surrogatepass"),
    rows | values,
    st.booleans(),
)
ODD = [
    b"",
    b"{}{}",
    b'{"url":1',
    b'"price":2}',
    b"{},{}",
    b' {"url":1}',
    b'{"url":1}\r',
    b'{"url":1,"url":2}',
    b'{"\\u0075rl":1}',
    b'{"url":1e999}',
    b'{"url":NaN}',
    b'{"other":1e999,"url":1}',
    b'{"other":NaN,"url":1}',
    b'{"other":01,"url":1}',
    b'{"other":"\\ud800","url":1}',
    b'{"other":"\xff","url":1}',
    b'{"other":"\t","url":1}',
    b'{"other":"\\x","url":1}',
    b'{"other":[1,],"url":1}',
    b'{"other":' + b"[" * 1_100 + b"]" * 1_100 + b',"url":1}',
]


def parsed(line: bytes) -> Any:
    try:
        row = parse_row(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


def check(lines: Sequence[bytes], paths: Sequence[str]) -> None:
    count, found = RowFields(paths).read(b"\n".join(lines))
    assert count == len(lines)
    expected = {path: [value_at(parsed(line), path) for line in lines] for path in paths}
    assert repr(found) == repr(expected)  # 1 is not 1.0, nor true


@given(st.lists(written | st.sampled_from(ODD), min_size=1), st.lists(st.sampled_from(PATHS), unique=True))
def test_fields_are_those_that_parsing_finds(lines: list[bytes], paths: list[str]) -> None:
    check(lines, paths)


@pytest.mark.parametrize("odd", ODD)
def test_odd_line_changes_no_other(odd: bytes) -> None:
    check([b'{"url":1,"other":{"url":2}}', odd, b'{"price":{"amount":3}}'], ["url", "price.amount"])


def test_rows_are_not_taken_for_one_another() -> None:
    """Two rows in a line, and one in two lines, are as many as there are lines."""
    check([b"{}{}", b'{"url":', b"1}"], ["url"])
    check([b"{}{}", b'{"url":{}', b"}"], ["url"])


@pytest.mark.parametrize(
    ("row", "path", "value"),
    [
        ({"a": {"b": [{"c": 5}]}}, "a.b.0.c", 5),
        ({"a": {"b": [{"c": 5}]}}, "a.b.1.c", None),
        ({"a": [1]}, "a.b", None),
        ({"a": 1}, "a.b", None),
        ({"a.b": 2, "a": {"b": 1}}, "a.b", 2),
        ({"a.b": None, "a": {"b": 1}}, "a.b", 1),
        ({"0": 1}, "0", 1),
        ([], "a", None),
    ],
)
def test_paths_lead_to_values(row: Any, path: str, value: Any) -> None:
    assert value_at(row, path) == value
    if isinstance(row, dict):
        assert RowFields([path]).read(json.dumps(row).encode()) == (1, {path: [value]})

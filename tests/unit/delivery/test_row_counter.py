"""What is counted of rows as they pass by, however the text is cut into blocks."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorline.delivery.formats.json_lines import JsonLines
from actorline.delivery.row_counter import RowCounter, RowLook, WatchedText, has_type, is_missing, key_hash
from actorline.delivery.row_counts import Flaw, RowCounts

ROWS = [
    {"url": "a", "price": {"amount": 1}},
    {"url": "b", "price": {"amount": None}},
    {"url": "", "price": {"amount": "2"}},
    {"url": "a", "price.amount": 3},
    [],
    {"url": "c", "last": True},
]
LOOK = RowLook(required=["url", "price.amount"], types={"price.amount": "number"}, key=["url"], matches={"last": True})
COUNTS = RowCounts(
    rows=6,
    missing={"url": Flaw(count=2, first=(2, 4)), "price.amount": Flaw(count=3, first=(1, 4, 5))},
    mistyped={"price.amount": Flaw(count=1, first=(2,))},
    matches=Flaw(count=1, first=(5,)),
)


def text_of(rows: list[Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@given(st.lists(st.integers(0, 200)), st.booleans())
def test_rows_are_counted_alike_however_they_are_cut(cuts: list[int], has_last_newline: bool) -> None:
    text = text_of(ROWS)[: None if has_last_newline else -1]
    counter = RowCounter(LOOK)
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    for start, end in pairwise(edges):
        counter.feed(text[start:end])
    counter.end_response()
    assert counter.counts() == COUNTS
    hashes, numbers = zip(*counter.keys, strict=True)
    assert numbers == (0, 1, 3, 5)
    assert hashes[0] == hashes[2] != hashes[1]


def test_lines_are_counted_alike_however_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (1, 40, 80):
        monkeypatch.setattr("actorline.delivery.row_counter.BYTES_AT_ONCE", size)
        counter = RowCounter(LOOK)
        counter.feed(text_of(ROWS))
        assert counter.counts() == COUNTS


def test_white_space_of_an_empty_page_is_no_row() -> None:
    counter = RowCounter(LOOK)
    text = WatchedText(JsonLines(), counter)
    for response in (b"\n", b" \n\n ", text_of(ROWS), b"\r\n"):
        text.feed(response)
        text.end()
    assert counter.counts() == COUNTS


def test_rows_are_numbered_over_all_responses_of_a_page() -> None:
    counter = RowCounter(LOOK)
    text = WatchedText(JsonLines(), counter)
    for half in (ROWS[:3], ROWS[3:]):
        assert text.feed(text_of(half)) == text_of(half)
        assert text.end() == (b"", 3)
    assert counter.counts() == COUNTS


def test_line_that_is_no_json_misses_everything() -> None:
    counter = RowCounter(RowLook(required=["url"]))
    counter.feed(b'{"url": \n{"url": 1}\n')
    assert counter.counts() == RowCounts(rows=2, missing={"url": Flaw(count=1, first=(0,))})


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_empty_values_are_missing(value: Any) -> None:
    assert is_missing(value)


@pytest.mark.parametrize("value", [0, False, 0.0, " ", [None], "0"])
def test_values_that_say_something_are_there(value: Any) -> None:
    assert not is_missing(value)


def test_types_are_those_of_json() -> None:
    values = {"string": "a", "number": 1.5, "integer": 2.0, "boolean": True, "array": [1], "object": {"a": 1}}
    for name in values:
        fitting = {other for other, value in values.items() if has_type(value, name)}  # type: ignore[arg-type]
        assert fitting == ({name, "integer"} if name == "number" else {name})


def test_keys_differ_by_type_and_half_surrogates_are_keys() -> None:
    assert len({key_hash(values) for values in (["1"], [1], [True], [None, 1], ["\ud800"], [10**30])}) == 6
    assert key_hash([{"b": 1, "a": 2}]) == key_hash([{"a": 2, "b": 1}])


def test_deep_values_are_keys() -> None:
    def counted(inner: bytes, levels: int = 2_000) -> tuple[int, ...]:
        counter = RowCounter(RowLook(key=["a"]))
        counter.feed(b'{"a":' + b'[{"b":' * levels + inner + b"}]" * levels + b"}\n")
        return next(zip(*counter.keys, strict=True))

    same = [b'{"x":1,"y":[]}', b'{"y":[],"x":1}']
    others = [b'{"x":[],"y":1}', b"[]", b"{}", b"1", b'"1"', b"[12]", b"[1,2]", b'["1,"]']
    assert len({counted(inner) for inner in same}) == 1
    assert len({counted(inner) for inner in (same[0], *others)} | {counted(b"1", 1_999)}) == len(others) + 2


def test_long_integers_are_different_keys() -> None:
    counter = RowCounter(RowLook(key=["id"], matches={"id": 2**70 + 1}))
    counter.feed(text_of([{"id": 2**70}, {"id": 2**70 + 1}]))
    first, second = counter.keys
    assert first[0] != second[0]
    assert counter.counts().matches == Flaw(count=1, first=(1,))

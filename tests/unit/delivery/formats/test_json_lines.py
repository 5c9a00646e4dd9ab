import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import Served, download, rows_of, served

from actorline.delivery.formats.json_lines import JsonArray, StoredArray, array_rows, parse_row
from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.part import inspect_part


def stored_array(*responses: Served, compress: bool, **options) -> tuple[int, bytes]:
    facts, stored, _ = download(*responses, text=JsonArray(), compress=compress, **options)
    assert inspect_part(io.BytesIO(stored), text=StoredArray(), compressed=compress).items == facts.items
    return facts.items, stored


@given(data=st.data(), rows=rows_of.filter(bool), compress=st.booleans())
def test_lines_become_one_valid_array_however_they_come(data, rows, compress):
    cut = data.draw(st.integers(1, len(rows)), "responses")
    responses = [data.draw(served(part, len(rows)), "response") for part in (rows[:cut], rows[cut:]) if part]
    count, stored = stored_array(*responses, compress=compress, expected=len(rows))
    text = gzip.decompress(stored) if compress else stored
    assert count == len(rows)
    assert json.loads(text) == [json.loads(row) for row in rows]
    assert list(array_rows(iter(text.split(b"\n")))) == rows


@pytest.mark.parametrize("compress", [False, True])
def test_a_json_page_without_rows_is_an_empty_array(compress):
    count, stored = stored_array(Served(b"", 5), compress=compress, keeps_count=False)
    text = gzip.decompress(stored) if compress else stored
    assert (count, json.loads(text)) == (0, [])


@pytest.mark.parametrize("text", [b"", b"[\n", b"[\n{}\n]", b"[\n{},\n", b"{}\n"])
def test_an_array_that_is_cut_is_told_from_one_that_is_whole(text):
    with pytest.raises(UnreadablePage):
        inspect_part(io.BytesIO(text), text=StoredArray(), compressed=False)


def test_a_row_with_half_a_surrogate_is_read():
    assert parse_row(b'{"a":"\\ud83d"}') == {"a": "\ud83d"}
    for number in (2**63 - 1, 2**64, -(2**70), 10**29 + 7):
        (parsed,) = parse_row(b'{"a":%d}' % number).values()
        assert (parsed, type(parsed)) == (number, int)
    with pytest.raises(ValueError, match="Expecting"):
        parse_row(b'{"a":')


DEEP = b'{"t":' + b"[" * 1100 + b"]" * 1100 + b"}"


def test_a_deeply_nested_row_is_stored_as_it_came():
    facts, stored, _ = download(Served(b'{"id":0}\n' + DEEP + b"\n", 2), expected=2, compress=False)
    assert (facts.items, stored) == (2, b'{"id":0}\n' + DEEP + b"\n")
    with pytest.raises(UnreadablePage, match="cut"):
        download(Served(b'{"id":0}\n' + DEEP[:-1], 2), expected=2, compress=False)


def test_a_long_last_line_is_looked_at_without_being_parsed(monkeypatch):
    monkeypatch.setattr("actorline.delivery.formats.json_lines.PARSED_BYTES_MAX", 10)
    monkeypatch.setattr("actorline.delivery.formats.json_lines.parse_row", None)
    assert download(Served(b'{"id":"a long one"}', 1), expected=1)[0].items == 1
    with pytest.raises(UnreadablePage, match="cut"):
        download(Served(b'{"id":"a long one"', 1), expected=1)


@pytest.mark.parametrize("line", [b'{"t":"%b"}' % (b"x" * 3000), b"x" * 3000])
def test_no_line_is_held_without_a_bound(monkeypatch, line):
    monkeypatch.setattr("actorline.delivery.formats.text.ROW_BYTES_MAX", 2000)
    with pytest.raises(UnreadablePage, match="more than 2,000 bytes"):
        download(Served(line + b"\n{}\n", 2, cuts=range(0, 3000, 100)), expected=2)

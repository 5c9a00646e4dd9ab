import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import Served, download, rows_of, served

from actorline.delivery.json_lines import JsonArray, StoredArray, array_rows, parse_row
from actorline.delivery.page_text import UnreadablePage
from actorline.delivery.part import inspect_part


def stored_array(*answers: Served, compress: bool, **options) -> tuple[int, bytes]:
    facts, stored, _ = download(*answers, text=JsonArray(), compress=compress, **options)
    assert inspect_part(io.BytesIO(stored), text=StoredArray(), compressed=compress).items == facts.items
    return facts.items, stored


@given(data=st.data(), rows=rows_of.filter(bool), compress=st.booleans())
def test_lines_become_one_valid_array_however_they_come(data, rows, compress):
    cut = data.draw(st.integers(1, len(rows)), "answers")
    answers = [data.draw(served(part, len(rows)), "answer") for part in (rows[:cut], rows[cut:]) if part]
    count, stored = stored_array(*answers, compress=compress, expected=len(rows))
    text = gzip.decompress(stored) if compress else stored
    assert count == len(rows)
    assert json.loads(text) == [json.loads(row) for row in rows]
    assert list(array_rows(iter(text.split(b"\n")))) == rows


@pytest.mark.parametrize("compress", [False, True])
def test_a_page_of_which_every_row_is_filtered_out_is_an_empty_array(compress):
    count, stored = stored_array(Served(b"", 5), compress=compress, keeps_count=False)
    text = gzip.decompress(stored) if compress else stored
    assert (count, json.loads(text)) == (0, [])


@pytest.mark.parametrize("text", [b"", b"[\n", b"[\n{}\n]", b"[\n{},\n", b"{}\n"])
def test_an_array_that_is_cut_is_told_from_one_that_is_whole(text):
    with pytest.raises(UnreadablePage):
        inspect_part(io.BytesIO(text), text=StoredArray(), compressed=False)


def test_a_row_is_read_also_where_javascript_wrote_half_a_surrogate():
    assert parse_row(b'{"a":"\\ud83d"}') == {"a": "\ud83d"}
    with pytest.raises(ValueError, match="Expecting"):
        parse_row(b'{"a":')

import csv
import gzip
import io
import itertools
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import Served, download

from actorline.delivery.formats.csv_text import (
    CsvText,
    read_records,
    record_end,
    records_end,
    whole_records,
    write_records,
)
from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.part import inspect_part

CSV = "text/csv; charset=utf-8"
cells = st.text("ab,;\"'\n\r\t é\x00", max_size=6)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    width = draw(st.integers(1, 4))
    columns = draw(st.lists(cells.filter(bool), min_size=width, max_size=width))
    return columns, draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=8))


def written(records: Sequence[Sequence[str]], delimiter: str = ",", **options: object) -> bytes:
    made = io.StringIO()
    csv.writer(made, delimiter=delimiter, lineterminator="\r\n", **options).writerows(records)
    return made.getvalue().encode()


def read(text: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline=""), delimiter=delimiter, strict=True))


def page(*texts: bytes, scanned: Sequence[int], delimiter: str = ",", compress: bool = True, **options):
    total = sum(scanned)
    responses = [
        Served(text, count, total, content_type=CSV, cuts=options.get("cuts", ()))
        for text, count in zip(texts, scanned, strict=True)
    ]
    options.pop("cuts", None)
    facts, stored, _ = download(*responses, text=CsvText(delimiter), compress=compress, **options)
    inspected = inspect_part(io.BytesIO(stored), text=CsvText(delimiter), compressed=compress) if stored else facts
    assert (inspected.items, inspected.sha256) == (facts.items, facts.sha256)
    return facts.items, gzip.decompress(stored) if compress and stored else stored


@settings(max_examples=300)
@given(
    data=st.data(), table=tables(), compress=st.booleans(), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
)
def test_every_record_is_counted_however_responses_are_cut(data, table, compress, quoting):
    columns, rows = table
    delimiter = data.draw(st.sampled_from(",;\t|"), "delimiter")
    cut_at = data.draw(st.sets(st.integers(1, 7), max_size=2), "responses")
    bounds = [0, *sorted(at for at in cut_at if at < len(rows)), len(rows)]
    texts = [written([columns, *rows[a:b]], delimiter, quoting=quoting) for a, b in itertools.pairwise(bounds)]
    cuts = data.draw(st.lists(st.integers(0, 200), max_size=9), "cuts")
    if rows and data.draw(st.booleans(), "last line unended") and texts[-1].endswith(b"\r\n"):
        texts[-1] = texts[-1][:-2]
    scanned = [b - a for a, b in itertools.pairwise(bounds)]
    count, stored = page(*texts, scanned=scanned, delimiter=delimiter, compress=compress, cuts=cuts)
    assert count == len(rows)
    assert read(stored, delimiter) == ([columns, *rows] if rows else [])


@given(table=tables(), data=st.data())
def test_an_answer_cut_between_its_fields_is_refused(table, data):
    columns, rows = table
    text = written([columns, *rows])
    cut = data.draw(st.integers(0, len(text)), "cut")
    try:
        _, stored = page(text[:cut], scanned=[len(rows)])
    except UnreadablePage:
        return
    whole, *last = [columns, *rows][:-1], *[columns, *rows][-1]
    if rows:  # only the last field, which nothing ends, may be shorter: the response's frame or checksum proves that
        assert read(stored)[:-1] == whole
        assert last[:-1] == read(stored)[-1][:-1]


def test_csv_needs_a_frame_or_a_checksum():
    with pytest.raises(UnreadablePage, match="neither a length nor a checksum"):
        download(Served(b"a\n12\n", 1, content_type=CSV, is_framed=False), text=CsvText())


@given(text=st.text('a,"\n', max_size=40).map(str.encode))
def test_ends_of_records_lie_outside_of_quotes(text):
    ends = [end for end in range(1, len(text) + 1) if text[end - 1 : end] == b"\n" and text[:end].count(b'"') % 2 == 0]
    assert record_end(text) == min(ends, default=0)
    assert records_end(text) == max(ends, default=0)


@pytest.mark.parametrize(
    ("text", "scanned", "why"),
    [
        (b"a,b\r\n1,2\r\n3\r\n", 2, "has 1 fields under a header of 2"),
        (b"a,b\r\n1,2,3\r\n", 1, "has 3 fields under a header of 2"),
        (b'a,b\r\n1,"2\r\n', 1, "can't be read"),
        (b"a\r\n1\r\n2\r\n", 3, "says 3 items but holds 2 rows"),
        (b"a\r\n\xff\r\n", 1, "can't be read"),
        (b"", 2, "says 2 items but holds 0 rows"),
    ],
)
def test_records_that_do_not_fit_are_refused(text, scanned, why):
    with pytest.raises(UnreadablePage, match=why):
        page(text, scanned=[scanned])


def test_a_byte_order_mark_nobody_asked_for_is_no_part_of_a_name():
    assert page(b"\xef\xbb\xbfa,b\n1,2\n", scanned=[1]) == (1, b"a,b\n1,2\n")


def test_items_without_any_of_the_columns_are_rows_too():
    assert page(b"\r\n\r\n\r\n", scanned=[2])[0] == 2
    assert page(b'a\r\n""\r\n\r\n1\r\n', scanned=[3])[0] == 3


def test_a_csv_page_without_rows_has_an_empty_header():
    assert page(b"\xef\xbb\xbf", scanned=[9], keeps_count=False) == (0, b"\n")


def test_pieces_with_other_columns_are_refused_with_the_fix():
    assert page(b"", b"a\n1\n", scanned=[1, 1], keeps_count=False) == (1, b"a\n1\n")
    with pytest.raises(UnreadablePage, match=r"smaller collect\.page_items"):
        page(b"a\n1\n", b"a,b\n1,2\n", scanned=[1, 1])


def test_megabyte_cells_are_read_in_linear_time():
    cell = b'"' + b'<p class=""x"">text, and more</p>\n' * 30_000 + b'"'
    began = time.process_time()
    assert page(b"a,b\n" + b"\n".join(b"%d,%b" % (n, cell) for n in range(4)), scanned=[4])[0] == 4
    assert time.process_time() - began < 10  # 4 MB: 0.2 s; counted from the start for each newline, 40 s


@given(cells=st.lists(st.text('a"\n,', max_size=5), min_size=1, max_size=6), size=st.integers(1, 9))
def test_records_are_cut_where_they_end_however_the_text_comes(cells, size):
    text = b"".join(write_records([[cell, "x"] for cell in cells], ",", "\n"))
    blocks = list(whole_records(text[at : at + size] for at in range(0, len(text), size)))
    assert b"".join(blocks) == text
    assert [row[0] for block in blocks for row in read_records(block, ",")] == cells


def test_a_quote_that_is_never_closed_does_not_fill_memory(monkeypatch):
    monkeypatch.setattr("actorline.delivery.formats.csv_text.ROW_BYTES_MAX", 1_000_000)
    with pytest.raises(UnreadablePage, match="never closed"):
        page(b'a\n"' + b"x\n" * 2_000_000, scanned=[1])

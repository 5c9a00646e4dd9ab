import gzip
import hashlib
import io
import itertools
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import Platform, Served, download, plain, rows_of, served, squeezed, text_of

from actorline.delivery.formats.json_lines import JsonLines
from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.formats.whole_file import Markup
from actorline.delivery.page_plan import Window
from actorline.delivery.part import download_window, inspect_part
from actorline.inflate import INFLATED_BYTES


@given(data=st.data(), rows=rows_of, compress=st.booleans())
def test_the_part_holds_exactly_the_rows_however_they_come(data, rows, compress):
    bounds = sorted(data.draw(st.sets(st.integers(1, max(len(rows) - 1, 1)), max_size=3), "responses"))
    bounds = [0, *(bound for bound in bounds if bound < len(rows)), len(rows)]
    responses = [data.draw(served(rows[begin:end], len(rows)), "response") for begin, end in itertools.pairwise(bounds)]
    facts, stored, platform = download(*responses, compress=compress, expected=len(rows))
    text = gzip.decompress(stored) if compress and stored else stored
    assert text == text_of(rows)
    assert (facts.items, facts.scanned, facts.bytes) == (len(rows), len(rows), len(stored))
    assert facts.sha256 == hashlib.sha256(stored).hexdigest()
    assert [offset for offset, _ in platform.asked] == bounds[: len(responses)]
    inspected = inspect_part(io.BytesIO(stored), text=JsonLines(), compressed=compress)
    assert (inspected.items, inspected.bytes, inspected.sha256) == (facts.items, facts.bytes, facts.sha256)


def stored_or_refused(response: Served, **options: Any) -> bytes | None:
    """The part's text; None if the page was refused."""
    try:
        _, stored, _ = download(response, **options)
    except UnreadablePage:
        return None
    return gzip.decompress(stored) if stored and options.get("compress", True) else stored


@given(data=st.data(), rows=rows_of, newline=st.booleans(), is_gzip=st.booleans(), compress=st.booleans())
def test_an_answer_cut_at_any_byte_is_refused_or_lacks_nothing(data, rows, newline, is_gzip, compress):
    text = text_of(rows, newline=newline)
    wire = gzip.compress(text) if is_gzip else text
    cut = data.draw(st.integers(0, len(wire)), "cut")
    response = Served(wire[:cut], len(rows), len(rows), is_gzip=is_gzip)
    stored = stored_or_refused(response, compress=compress, expected=len(rows))
    if is_gzip and 0 < cut < len(wire):
        assert stored is None
    assert stored in {None, text_of(rows)}


@settings(max_examples=200)
@given(data=st.data(), rows=rows_of, compress=st.booleans(), keeps_count=st.booleans())
def test_a_flipped_bit_in_gzip_is_refused_or_changes_nothing(data, rows, compress, keeps_count):
    wire = bytearray(gzip.compress(text_of(rows)))
    at = data.draw(st.integers(0, 8 * len(wire) - 1), "bit")
    wire[at // 8] ^= 1 << (at % 8)
    response = Served(bytes(wire), len(rows), is_gzip=True)
    stored = stored_or_refused(response, compress=compress, keeps_count=keeps_count)
    assert stored in {None, text_of(rows)}


ROWS = [b'{"a":1}', b'{"a":2}', b'{"a":3}']


@pytest.mark.parametrize("is_gzip", [False, True])
@pytest.mark.parametrize("scanned", [0, 2, 4, -1, 1001])
def test_a_count_that_is_not_the_number_of_lines_is_refused(scanned, is_gzip):
    wire = gzip.compress(text_of(ROWS)) if is_gzip else text_of(ROWS)
    with pytest.raises(UnreadablePage):
        download(Served(wire, scanned, is_gzip=is_gzip))


@pytest.mark.parametrize("scanned", [3, 7, 1000])
def test_with_filters_more_may_be_scanned_than_comes(scanned):
    facts, stored, _ = download(Served(text_of(ROWS), scanned), keeps_count=False)
    assert (facts.items, facts.scanned) == (3, scanned)
    assert gzip.decompress(stored) == text_of(ROWS)


@pytest.mark.parametrize("scanned", [None, 0, 1001])
def test_with_filters_the_count_must_lie_in_the_window(scanned):
    with pytest.raises(UnreadablePage):
        download(Served(text_of(ROWS), scanned), keeps_count=False)


@given(
    rows=st.lists(st.integers(0, 3), max_size=30),
    counts_rows=st.booleans(),
    limit=st.integers(1, 12),
    cap=st.integers(1, 12),
)
def test_filtered_rows_come_once_whatever_is_counted(rows, counts_rows, limit, cap):
    """Of each item come some rows or none, and the platform counts either. Where it counts items no response has more
    than `cap` of them.
    """

    def items_in(offset: int, limit: int) -> range:
        return range(offset, max(min(offset + min(limit, limit if counts_rows else cap), len(rows)), offset))

    def count(offset: int, limit: int, *, filtered: bool) -> int:
        items = items_in(offset, limit)
        return sum(rows[item] for item in items) if counts_rows and filtered else len(items)

    def open_response(offset: int, limit: int) -> Served:
        items = items_in(offset, limit)
        return Served(text_of(rows_of_items(rows, items)), count(offset, limit, filtered=True), len(rows))

    stored = io.BytesIO()
    for offset in range(0, len(rows), limit):
        expected = min(limit, len(rows) - offset)
        facts = download_window(
            open_response, Window(page_no=0, offset=offset, limit=limit), stored, text=JsonLines(), expected=expected,
            compress=False, keeps_count=False, keep_alive=lambda: None, count_items=count,
        )  # fmt: skip
        assert (facts.scanned, facts.items) == (expected, sum(rows[offset : offset + limit]))
    assert stored.getvalue() == text_of(rows_of_items(rows, range(len(rows))))


@given(
    rows=st.lists(st.integers(0, 3), max_size=20),
    pushed=st.lists(st.integers(0, 3), max_size=5),
    lag=st.integers(0, 20),
    counts=st.sampled_from(["items", "rows", None]),
    cap=st.integers(1, 12),
)
def test_items_that_come_after_a_filtered_response_are_not_lost(rows, pushed, lag, counts, cap):
    """Others come before the items are counted, and the platform's total lags: a window may have to be read again,
    where rows are counted or the response has no count, but never lacks a row of what it is said to hold.
    """
    there = list(rows)

    def count(offset: int, limit: int, *, filtered: bool) -> int:
        items = range(len(there))[offset : offset + limit]
        return sum(there[item] for item in items) if counts == "rows" and filtered else len(items)

    def open_response(offset: int, limit: int) -> Served:
        items = range(len(there))[offset : offset + (min(limit, cap) if counts == "items" else limit)]
        found = rows_of_items(there, items)
        count = {"items": len(items), "rows": len(found), None: None}[counts]
        response = Served(text_of(found), count, max(len(there) - lag, 0))
        there.extend(pushed)
        return response

    stored = io.BytesIO()
    try:
        facts = download_window(
            open_response, Window(page_no=0, offset=0, limit=100), stored, text=JsonLines(), expected=0,
            compress=False, keeps_count=False, keep_alive=lambda: None, count_items=count,
        )  # fmt: skip
    except UnreadablePage:
        assert counts != "items"
    else:
        assert stored.getvalue() == text_of(rows_of_items(there, range(facts.scanned)))


@given(rows=st.lists(st.integers(0, 3), max_size=30), limit=st.integers(1, 12))
def test_filtered_rows_come_once_if_only_head_has_a_count(rows, limit):
    def items_in(offset: int, limit: int) -> range:
        return range(len(rows))[offset : offset + limit]

    def count(offset: int, limit: int, *, filtered: bool) -> int:
        assert not filtered
        return len(items_in(offset, limit))

    def open_response(offset: int, limit: int) -> Served:
        return Served(text_of(rows_of_items(rows, items_in(offset, limit))), None, len(rows))

    stored = io.BytesIO()
    for offset in range(0, len(rows) + limit, limit):
        facts = download_window(
            open_response, Window(page_no=0, offset=offset, limit=limit), stored, text=JsonLines(), expected=0,
            compress=False, keeps_count=False, keep_alive=lambda: None, count_items=count,
        )  # fmt: skip
        assert facts.scanned == len(items_in(offset, limit))
    assert stored.getvalue() == text_of(rows_of_items(rows, range(len(rows))))


@pytest.mark.parametrize(("counted", "why"), [(None, "how many items it scanned"), (8, "can't be told yet")])
def test_filtered_response_that_nothing_counts_is_refused(counted, why):
    """Nine items are known: a count of eight may be that of a replica that lags behind."""
    with pytest.raises(UnreadablePage, match=why):
        download(Served(text_of(ROWS), None, 9), keeps_count=False, count_items=lambda *_, **__: counted)


def test_a_json_error_is_no_row_however_many_items_are_counted():
    error = Served(b'{"error":{"type":"internal-server-error"}}', None, content_type="application/json")
    with pytest.raises(UnreadablePage, match="how many items it scanned"):
        download(error, expected=9, keeps_count=False, count_items=lambda *_, **__: 9)


def test_markup_without_a_count_is_stored_as_head_counts_it():
    """Its rows may be more or fewer than its items, so they tell nothing."""
    text = Markup("XML", "xml", row="item", ends=("</items>",))
    page = Served(b"<items><item/><item/></items>", None, 2, content_type="application/xml")
    facts, stored, _ = download(page, text=text, compress=False, count_items=lambda *_, **__: 2)
    assert (facts.scanned, facts.items, stored) == (2, 2, page.wire)


def rows_of_items(rows: list[int], items: range) -> list[bytes]:
    """The rows of these items; of each come as many as `rows` says."""
    return [b'{"of":%d,"no":%d}' % (item, number) for item in items for number in range(rows[item])]


def test_usual_count_of_a_filtered_window_is_not_asked_for_again():
    def refuse(_offset: int, _limit: int, *, filtered: bool) -> int:
        raise AssertionError(filtered)

    for response in (plain(ROWS, total=3), Served(text_of(ROWS), 9, 9)):
        download(response, keeps_count=False, count_items=refuse)


@pytest.mark.parametrize("content_type", ["", "text/html", "application/xml", "text/csv; charset=utf-8"])
def test_another_content_type_is_refused_before_a_byte_is_stored(content_type):
    file = io.BytesIO()
    platform = Platform([Served(text_of(ROWS), 3, content_type=content_type)])
    with pytest.raises(UnreadablePage, match="instead of JSON lines"):
        download_window(
            platform.open,
            Window(page_no=0, offset=0, limit=9),
            file,
            text=JsonLines(),
            expected=0,
            compress=True,
            keeps_count=True,
            keep_alive=lambda: None,
        )
    assert not file.getvalue()
    assert platform.responses[0].is_closed


@pytest.mark.parametrize(
    "content_type", ["application/jsonl", "application/x-ndjson", "application/json; charset=utf-8"]
)
def test_every_name_of_json_lines_is_taken(content_type):
    assert download(plain(ROWS, content_type=content_type))[0].items == 3


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_one_json_text_that_names_no_count_is_no_row(content_type):
    error = b'{"error":{"type":"internal-server-error","message":"Try again"}}'
    with pytest.raises(UnreadablePage, match="how many items it scanned"):
        download(Served(error, None, content_type=content_type))


def test_a_short_answer_is_followed_by_a_request_for_the_rest():
    responses = [plain(ROWS[:1], total=7), squeezed(ROWS[1:2], total=7), plain(ROWS[2:], total=7)]
    facts, stored, platform = download(*responses, offset=4, limit=5)
    assert platform.asked == [(4, 5), (5, 4), (6, 3)]
    assert gzip.decompress(stored) == text_of(ROWS)
    assert (facts.scanned, facts.total) == (3, 7)


def test_a_server_that_ends_before_the_expected_rows_is_refused():
    with pytest.raises(UnreadablePage, match="the window holds 4 items, but 3 arrived"):
        download(plain(ROWS), plain([]), expected=4)


def test_a_full_window_is_asked_for_once():
    _, _, platform = download(plain(ROWS, total=900), limit=3)
    assert platform.asked == [(0, 3)]


def test_a_window_behind_the_end_leaves_no_bytes():
    for response in (plain([]), Served(b"", 0, is_gzip=True)):
        facts, stored, _ = download(response)
        assert (facts.items, facts.scanned, facts.bytes, stored) == (0, 0, 0, b"")


def test_an_answer_whose_end_nothing_proves_is_refused():
    assert download(plain(ROWS, is_framed=False))[0].items == 3
    assert download(squeezed(ROWS, is_framed=False), keeps_count=False)[0].items == 3
    with pytest.raises(UnreadablePage, match="neither a length nor a checksum"):
        download(plain(ROWS, is_framed=False), keeps_count=False)


@pytest.mark.parametrize("scanned", [3, None])
@pytest.mark.parametrize("is_framed", [False, True])
def test_gzip_without_a_byte_is_no_page_of_dropped_rows(scanned, is_framed):
    with pytest.raises(UnreadablePage, match="cut short before its first byte"):
        download(Served(b"", scanned, is_gzip=True, is_framed=is_framed), keeps_count=False, expected=3)
    facts, _, _ = download(Served(b"", 0, is_gzip=True, is_framed=is_framed), keeps_count=False)
    assert facts.scanned == 0


BLANK = [b"\n", b"\r\n", b" \n\n\t "]


@pytest.mark.parametrize("text", BLANK)
@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("is_gzip", [False, True])
@pytest.mark.parametrize("compress", [False, True])
def test_a_page_of_white_space_is_an_empty_page(text, size, is_gzip, compress):
    wire = gzip.compress(text) if is_gzip else text
    for scanned, keeps_count in ((0, True), (None, True), (5, False)):
        response = Served(wire, scanned, is_gzip=is_gzip, cuts=range(0, len(wire), size))
        facts, stored, _ = download(response, compress=compress, keeps_count=keeps_count)
        assert (facts.items, facts.scanned) == (0, scanned or 0)
        assert (gzip.decompress(stored) if compress else stored) == b""
        inspected = inspect_part(io.BytesIO(stored), text=JsonLines(), compressed=compress)
        assert (inspected.items, inspected.text_crc) == (0, facts.text_crc)


@pytest.mark.parametrize("compress", [False, True])
def test_white_space_after_rows_adds_nothing(compress):
    rest = Served(gzip.compress(b"\n"), 0, 3, is_gzip=True)
    facts, stored, _ = download(squeezed(ROWS, total=9), rest, compress=compress)
    assert (facts.items, gzip.decompress(stored) if compress else stored) == (3, text_of(ROWS))


def test_white_space_in_front_of_a_row_is_no_empty_line():
    facts, stored, _ = download(Served(b'  {"a":1}\n', 1, cuts=[1, 2]), compress=False)
    assert (facts.items, stored) == (1, b'  {"a":1}\n')


def test_white_space_is_not_held_without_a_bound(monkeypatch):
    monkeypatch.setattr("actorline.delivery.formats.text.ROW_BYTES_MAX", 20)
    for text in (b" " * 21, gzip.compress(b"") * 2):
        with pytest.raises(UnreadablePage, match="more than 20 bytes"):
            download(Served(text, 0, is_gzip=text.startswith(b"\x1f")))


@pytest.mark.parametrize("text", [b'\n{"a":1}\n', b'{"a":1}\n\n{"a":2}\n', b'{"a":1}\n\n'])
@pytest.mark.parametrize("size", [1, 100])
def test_an_empty_line_is_no_row_and_is_refused(text, size):
    with pytest.raises(UnreadablePage, match="a line is empty"):
        download(Served(text, 2, cuts=range(0, len(text), size)), keeps_count=False)


def test_half_a_surrogate_that_javascript_wrote_is_a_row():
    assert download(plain([b'{"a":"\\ud83d"}']))[0].items == 1


@pytest.mark.parametrize("is_gzip", [False, True])
def test_a_window_without_rows_is_an_empty_part(is_gzip):
    response = Served(gzip.compress(b"") if is_gzip else b"", 5, is_gzip=is_gzip)
    facts, stored, _ = download(response, keeps_count=False)
    assert gzip.decompress(stored) == b""
    assert (facts.items, facts.scanned, facts.bytes) == (0, 5, len(stored))


def test_keep_alive_may_stop_a_download():
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    response = plain(ROWS)
    with pytest.raises(Stopped):
        download(response, keep_alive=stop)
    assert response.is_closed


@pytest.mark.parametrize("size", [INFLATED_BYTES - 1, INFLATED_BYTES, INFLATED_BYTES + 1, 3 * INFLATED_BYTES])
def test_a_member_is_inflated_whole_at_the_bounds_of_the_blocks(size):
    row = b'{"a":"' + b"x" * (size - 9) + b'"}'
    assert len(row) + 1 == size
    facts, stored, _ = download(squeezed([row]))
    assert facts.items == 1
    assert len(stored) < size / 100  # passed through as it came
    assert gzip.decompress(stored) == row + b"\n"


class Watched(io.BytesIO):
    longest = 0

    def write(self, block: Any) -> int:
        self.longest = max(self.longest, len(block))
        return super().write(block)


def test_blocks_stay_bounded_whatever_the_ratio_of_compression():
    rows, file = [b"{}"] * 1_000_000, Watched()
    facts = download_window(
        Platform([squeezed(rows)]).open,
        Window(page_no=0, offset=0, limit=len(rows)),
        file,
        text=JsonLines(),
        expected=0,
        compress=False,
        keeps_count=True,
        keep_alive=lambda: None,
    )
    assert facts.items == len(rows)
    assert 0 < file.longest <= INFLATED_BYTES


@pytest.mark.parametrize(
    "stored",
    [
        gzip.compress(text_of(ROWS), mtime=0)[:-1],
        gzip.compress(text_of(ROWS), mtime=0) + b"\0",
        gzip.compress(b'{"a":1}\n{"a"', mtime=0),
        zlib.compress(text_of(ROWS)),
        text_of(ROWS),
    ],
)
def test_a_part_that_is_not_whole_is_told_from_one_that_is(stored):
    with pytest.raises(UnreadablePage):
        inspect_part(io.BytesIO(stored), text=JsonLines(), compressed=True)


def test_a_plain_part_that_is_cut_in_a_row_is_not_whole():
    assert inspect_part(io.BytesIO(text_of(ROWS)), text=JsonLines(), compressed=False).items == 3
    with pytest.raises(UnreadablePage):
        inspect_part(io.BytesIO(text_of(ROWS)[:-3]), text=JsonLines(), compressed=False)

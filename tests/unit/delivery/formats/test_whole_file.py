import gzip
import io
import zipfile

import pytest
from served import Served, download

from actorline.delivery.formats.table import FORMATS
from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.part import inspect_part
from actorline.emulator.dataset.formats import FORMATS as WRITTEN
from actorline.emulator.dataset.items import ItemSource
from actorline.emulator.params import Params

SOURCE = ItemSource("nasty", 300, 3)
WHOLE = ["xml", "html", "rss", "xlsx"]


def text_of(name: str, items: int, **query: str) -> bytes:
    return b"".join(WRITTEN[name].body(lambda: SOURCE.blocks(0, items), Params(query), "d1"))


def fetch(name: str, text: bytes, scanned: int, *, is_gzip: bool = False, query: dict[str, str] | None = None, **more):
    wire = gzip.compress(text) if is_gzip else text
    response = Served(
        wire,
        scanned,
        more.pop("total", scanned),
        is_gzip=is_gzip,
        cuts=range(0, len(wire), more.pop("step", 4001)),
        content_type=more.pop("content_type", WRITTEN[name].media_type),
    )
    return download(response, *more.pop("then", ()), text=FORMATS[name].reads(query or {}), **more)


@pytest.mark.parametrize("is_gzip", [False, True])
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_stored_as_it_is_with_rows_counted(name, is_gzip):
    text = text_of(name, 1000)
    compress = FORMATS[name].is_text
    facts, stored, platform = fetch(name, text, 1000, is_gzip=is_gzip, compress=compress)
    assert (facts.items, facts.scanned, platform.asked) == (1000, 1000, [(0, 1000)])
    assert (gzip.decompress(stored) if compress else stored) == text
    assert inspect_part(io.BytesIO(stored), text=FORMATS[name].read_stored({}), compressed=compress).items >= 1000


@pytest.mark.parametrize("name", ["html", "xlsx", "rss"])
def test_rows_of_a_filtered_file_are_those_that_it_holds(name):
    facts, _, _ = fetch(name, text_of(name, 700), 1000, keeps_count=False, compress=False)
    assert (facts.items, facts.scanned) == (700, 1000)


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_with_fewer_rows_than_the_answer_names_is_refused(name):
    with pytest.raises(UnreadablePage, match="1,000 items but holds"):
        fetch(name, text_of(name, 900), 1000, compress=False)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("cut", [1, 10, 1000])
def test_a_file_that_is_cut_is_refused(name, cut):
    with pytest.raises(UnreadablePage, match="cut"):
        fetch(name, text_of(name, 50)[:-cut], 50, compress=False)


def test_a_corrupt_workbook_is_refused():
    text = bytearray(text_of("xlsx", 50))
    text[len(text) // 2] ^= 1
    with pytest.raises(UnreadablePage, match="corrupt"):
        fetch("xlsx", bytes(text), 50, compress=False)


@pytest.mark.parametrize("text", [b"<items/>", b"<items />", b"<items\n/>\n", b"<items></items>"])
def test_xml_without_items_is_whole_however_it_is_written(text):
    facts, _, _ = fetch("xml", b'<?xml version="1.0"?>\n' + text, 0, compress=False)
    assert facts.scanned == 0
    with pytest.raises(UnreadablePage, match="cut"):
        fetch("xml", text.rstrip()[:-1], 0, compress=False)


@pytest.mark.parametrize("name", WHOLE)
def test_pieces_are_not_put_together(name):
    text = text_of(name, 5)
    second = Served(text, 5, 10, content_type=WRITTEN[name].media_type)
    with pytest.raises(UnreadablePage, match="came in pieces"):
        fetch(name, text, 5, total=10, then=[second], compress=False)


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_that_names_no_count_is_refused(name):
    with pytest.raises(UnreadablePage, match="doesn't say how many"):
        fetch(name, text_of(name, 5), None, compress=False)


@pytest.mark.parametrize("name", ["xml", "rss", "xlsx"])
def test_a_maintenance_page_is_no_delivery(name):
    with pytest.raises(UnreadablePage, match="instead of"):
        fetch(name, b"<html>Maintenance</html>", 0, content_type="text/html", compress=False)


def test_elements_may_have_other_names():
    query = {"xmlRoot": "rows", "xmlRow": "r.w"}
    facts, _, _ = fetch("xml", text_of("xml", 30, **query), 30, query=query, compress=False, step=7)
    assert facts.items == 30
    with pytest.raises(UnreadablePage, match="doesn't end with </items>"):
        fetch("xml", text_of("xml", 30, **query), 30, compress=False)


def test_no_row_is_counted_twice_however_the_text_is_cut():
    text = b"<items><item/><item></item><items-not/><item x='1'/></items>"
    for step in range(1, 20):
        assert fetch("xml", text, 3, compress=False, step=step)[0].items == 3
        with pytest.raises(UnreadablePage):
            fetch("xml", text, 4, compress=False, step=step)


def test_a_zip_that_is_no_workbook_holds_no_rows():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        book.writestr("readme.txt", "<row >" * 50)
    with pytest.raises(UnreadablePage, match="holds 0 rows"):
        fetch("xlsx", file.getvalue(), 1, compress=False)


@pytest.mark.parametrize("bomb", [{"sheet": 2_000_000}, dict.fromkeys(map(str, range(40)), 1)])
def test_a_workbook_that_inflates_too_far_is_refused(monkeypatch, bomb):
    monkeypatch.setattr("actorline.delivery.formats.whole_file.INFLATED_BYTES_MAX", 1_000_000)
    monkeypatch.setattr("actorline.delivery.formats.whole_file.MEMBERS_MAX", 30)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as book:
        for name, size in bomb.items():
            book.writestr(f"xl/worksheets/{name}.xml", bytes(size))
    with pytest.raises(UnreadablePage, match="inflate to"):
        fetch("xlsx", made.getvalue(), 1, compress=False)

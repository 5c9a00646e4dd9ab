import csv
import io
import zipfile
from xml.etree import ElementTree as ET

import orjson
import pytest

from actorline.emulator.dataset.formats import BOM, FORMATS
from actorline.emulator.dataset.items import ItemSource
from actorline.emulator.dataset.markup import element
from actorline.emulator.dataset.tables import COLUMNS_MAX, flattened
from actorline.emulator.errors import ApiError
from actorline.emulator.params import Params

NASTY = ItemSource("nasty", 300, 7)
ITEMS = [orjson.loads(NASTY.line(index)) for index in range(1000)]
CELLS = [flattened(item) for item in ITEMS]
COLUMNS = list(dict.fromkeys(name for row in CELLS for name in row))
ROWS = [[row.get(name, "") for name in COLUMNS] for row in CELLS]


def written(name: str, source=NASTY, items: int = 1000, **query: str) -> bytes:
    return b"".join(FORMATS[name].body(lambda: source.blocks(0, items), Params(query), "d1"))


def test_nested_values_take_a_column_for_each_leaf():
    item = {"a": {"b": [1, {"c": "x"}]}, "n": None, "t": True, "f": -0.0, "e": {}, "u": []}
    assert flattened(item) == {"a/b/0": "1", "a/b/1/c": "x", "n": "", "t": "true", "f": "-0.0"}


@pytest.mark.parametrize(("delimiter", "query"), [(",", {}), (";", {"delimiter": ";"}), ("\t", {"delimiter": "\t"})])
def test_csv_has_a_row_for_each_item_whatever_it_holds(delimiter, query):
    text = written("csv", **query)
    assert text.startswith(BOM)
    header, *rows = csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""), delimiter=delimiter, strict=True)
    assert header == COLUMNS
    assert rows == ROWS


def test_csv_without_header_and_bom_is_the_rows_alone():
    assert written("csv", bom="0") == BOM[3:] + written("csv")[3:]
    rows = list(csv.reader(io.StringIO(written("csv", bom="0", skipHeaderRow="1").decode(), newline="")))
    assert rows == ROWS


@pytest.mark.parametrize("delimiter", [",,", '"', "\n"])
def test_a_delimiter_that_is_none_is_refused(delimiter):
    with pytest.raises(ApiError):
        written("csv", delimiter=delimiter)


def test_columns_are_bounded_as_documented():
    class Wide(ItemSource):
        def blocks(self, *_bounds):
            yield orjson.dumps({"x" * 300: 1, **{str(n): n for n in range(3000)}}) + b"\n"

    header, row = csv.reader(io.StringIO(written("csv", Wide("tiny", 0, 1)).decode("utf-8-sig")))
    assert (len(header), len(row), header[0]) == (COLUMNS_MAX, COLUMNS_MAX, "x" * 200)


@pytest.mark.parametrize(
    ("value", "xml"),
    [
        ({"@": {"type": "home"}, "street": "21st"}, '<a type="home"><street>21st</street></a>'),
        ({"@": {"type": "office"}, "#": "unknown"}, '<a type="office">unknown</a>'),
        ([{"city": None}, "x"], "<a><city/></a><a>x</a>"),
        ({}, "<a/>"),
        ("<&\x00>", "<a>&lt;&amp;&gt;</a>"),
    ],
)
def test_properties_become_elements_as_documented(value, xml):
    assert element("a", value) == xml


@pytest.mark.parametrize(("query", "names"), [({}, ("items", "item")), ({"xmlRoot": "r", "xmlRow": "w"}, ("r", "w"))])
def test_xml_has_an_element_for_each_item(query, names):
    root = ET.fromstring(written("xml", **query))
    assert (root.tag, {row.tag for row in root}, len(root)) == (names[0], {names[1]}, 1000)
    assert [row.findtext("index") for row in root] == [CELLS[n].get("index") for n in range(1000)]


def test_rss_has_an_element_for_each_item():
    channel = ET.fromstring(written("rss", feedTitle="T & U"))[0]
    assert channel.findtext("title") == "T & U"
    assert len(channel.findall("item")) == 1000


def test_html_has_a_row_for_each_item():
    text = written("html").decode()
    assert text.count("<tr>") == 1001
    assert text.startswith("<table>")
    assert text.endswith("</table>")


def test_xlsx_is_a_workbook_with_a_row_for_each_item():
    with zipfile.ZipFile(io.BytesIO(written("xlsx", bom="1"))) as book:
        assert book.testzip() is None
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))
    (data,) = sheet
    cells = [["".join(cell.itertext()) for cell in row] for row in data]
    assert cells[0] == COLUMNS
    assert [row[COLUMNS.index("index")] for row in cells[1:]] == [row.get("index", "") for row in CELLS]


def test_no_items_are_a_whole_file_in_every_format():
    assert written("json", items=0) == b"[]"
    assert written("csv", items=0) == BOM
    assert written("xml", items=0).endswith(b"<items></items>")

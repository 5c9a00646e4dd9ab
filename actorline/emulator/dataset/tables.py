"""Items as tables: csv, html and xlsx. Nested values take a column for each leaf: `address/city`, `tags/0`.

The columns are those of the items in the response, so two windows of one dataset may have different ones.
OpenAPI, `/v2/datasets/{datasetId}/items`: at most 2000 columns, whose names have at most 200 characters.
"""

import csv
import html
import io
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import orjson

ReadBlocks = Callable[[], Iterator[bytes]]
"""The lines of JSON from the first one on: tables read them twice."""

COLUMNS_MAX: Final = 2000
NAME_CHARACTERS_MAX: Final = 200

_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SHEET: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XLSX_FRAME: Final = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}">'
    '<sheets><sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_RELATIONS}">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


def csv_text(read: ReadBlocks, *, delimiter: str, header: bool) -> Iterator[bytes]:
    """Yield rows ended by CRLF, so that the writer quotes both characters wherever they are in a value."""
    columns = _columns(read())
    made = io.StringIO()
    writer = csv.writer(made, delimiter=delimiter, lineterminator="\r\n")
    if header and next(read(), None) is not None:
        writer.writerow(name[:NAME_CHARACTERS_MAX] for name in columns)
    for block in read():
        writer.writerows([row.get(name, "") for name in columns] for row in _rows(block))
        yield made.getvalue().encode()
        made.seek(0)
        made.truncate()
    yield made.getvalue().encode()


def html_text(read: ReadBlocks) -> Iterator[bytes]:
    columns = _columns(read())
    yield b"<table>" + _html_row("th", (name[:NAME_CHARACTERS_MAX] for name in columns))
    for block in read():
        yield b"".join(_html_row("td", (row.get(name, "") for name in columns)) for row in _rows(block))
    yield b"</table>"


def xlsx_file(read: ReadBlocks) -> Iterator[bytes]:
    """Yield a workbook of one sheet, all of its cells text."""
    columns = _columns(read())
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
            for name, text in _XLSX_FRAME.items():
                book.writestr(name, text)
            with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
                sheet.write(f'<worksheet xmlns="{_SHEET}"><sheetData>'.encode())
                sheet.write(_sheet_row(name[:NAME_CHARACTERS_MAX] for name in columns))
                for block in read():
                    sheet.write(b"".join(_sheet_row(row.get(name, "") for name in columns) for row in _rows(block)))
                sheet.write(b"</sheetData></worksheet>")
        file.seek(0)
        while block := file.read(256 * 1024):
            yield block


def flattened(item: dict[str, Any]) -> dict[str, str]:
    """Return the row as column -> cell."""
    cells: dict[str, str] = {}
    for name, value in item.items():
        _put(cells, name, value)
    return cells


def _put(cells: dict[str, str], path: str, value: Any) -> None:
    inner: Iterable[tuple[Any, Any]] = ()
    match value:
        case dict():
            inner = value.items()
        case list():
            inner = enumerate(value)
        case str():
            cells[path] = value
        case None:
            cells[path] = ""
        case _:
            cells[path] = orjson.dumps(value).decode()
    for name, one in inner:
        _put(cells, f"{path}/{name}", one)


def _rows(block: bytes) -> Iterator[dict[str, str]]:
    return (flattened(orjson.loads(line)) for line in block.split(b"\n") if line)


def _columns(blocks: Iterator[bytes]) -> list[str]:
    """Return the columns in the order in which they first come."""
    columns: dict[str, None] = {}
    for block in blocks:
        for row in _rows(block):
            columns.update(dict.fromkeys(row))
    return list(columns)[:COLUMNS_MAX]


def _html_row(tag: str, cells: Iterable[str]) -> bytes:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell, quote=False)}</{tag}>' for cell in cells)}</tr>".encode()


def _sheet_row(cells: Iterable[str]) -> bytes:
    inner = (
        f'<c t="inlineStr"><is><t xml:space="preserve">{html.escape(_NO_XML.sub("", cell), quote=False)}</t></is></c>'
        for cell in cells
    )
    return f"<row>{''.join(inner)}</row>".encode()

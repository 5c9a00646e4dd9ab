"""Items of the second API in other formats, written as the emulator doesn't: other columns, quotes and line ends."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

Items = Sequence[dict[str, Any]]


def cell_of(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _csv(items: Items, query: Mapping[str, str], last_newline: bool) -> bytes:
    """Columns in the order of their names or of `fields`, everything in quotes, a mark in front unless refused."""
    fields = query.get("fields", "")
    columns = fields.split(",") if fields else sorted({name for item in items for name in item})
    made = io.StringIO()
    writer = csv.writer(made, delimiter=query.get("delimiter", ","), lineterminator="\n", quoting=csv.QUOTE_ALL)
    if query.get("skipHeaderRow") not in {"true", "1"}:
        writer.writerow(columns)
    writer.writerows([cell_of(item.get(name)) for name in columns] for item in items)
    text = made.getvalue() if last_newline else made.getvalue().removesuffix("\n")
    return ("" if query.get("bom") in {"false", "0"} else "\ufeff").encode() + text.encode()


def _xml(items: Items, query: Mapping[str, str], last_newline: bool) -> bytes:
    root, row = query.get("xmlRoot", "items"), query.get("xmlRow", "item")
    rows = (
        "".join(f"\n    <field name={json.dumps(name)}>{escape(cell_of(one))}</field>" for name, one in item.items())
        for item in items
    )
    inner = "".join(f"\n  <{row}>{inner}\n  </{row}>" if inner else f"\n  <{row} />" for inner in rows)
    return f"<{root}>{inner}\n</{root}>{chr(10) * last_newline}".encode()


WRITERS: Final[Mapping[str, tuple[str, Callable[[Items, Mapping[str, str], bool], bytes]]]] = {
    "csv": ("Text/CSV;charset=UTF-8", _csv),
    "xml": ("text/xml", _xml),
}

"""The formats of a delivery, as one table: what is asked of the platform, how it is read, and what is in the sink.

| format | asked for | pages | delivered |
|---|---|---|---|
| jsonl | jsonl | side by side, passed through | as they are |
| json | jsonl | side by side, each made an array | as they are |
| csv | csv with header | side by side, staged | put together under one header |
| parquet | jsonl | side by side, staged | converted with one schema |
| xml, html, rss, xlsx | itself | one response for all, passed through | as it is |

Pages that are put together, and all pages of a single file, are staged in a folder of their own, which no reader takes
for rows; it is removed when the delivery is there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from actorline.delivery.formats.csv_text import CsvText
from actorline.delivery.formats.json_lines import JsonArray, JsonLines, StoredArray
from actorline.delivery.formats.rules import CUT, TEXT
from actorline.delivery.formats.text import PageText
from actorline.delivery.formats.whole_file import Markup, Workbook
from actorline.delivery.sink.names import STAGED_PAGES

Query = Mapping[str, str]
"""The platform's query parameters, as the order has them."""
ReadText = Callable[[Query], PageText]


@dataclass(frozen=True)
class Format:
    """`asks`: query parameters of its pages instead of the order's. `reads`: a response; `rereads`: a stored page,
    where that is different. `is_made`: whether what is delivered is made from all pages.
    """

    name: str
    reads: ReadText
    asks: Query
    rereads: ReadText | None = None
    is_made: bool = False

    @property
    def is_cut(self) -> bool:
        """Return whether it comes in pages."""
        return self.name in CUT

    @property
    def is_text(self) -> bool:
        """Return whether it may be gzipped."""
        return self.name in TEXT

    def is_staged(self, *, single_file: bool) -> bool:
        """Return whether pages are no parts yet."""
        return self.is_cut and (self.is_made or single_file)

    def is_gzipped(self, compression: str) -> bool:
        """Return whether the delivered files are gzip."""
        return self.is_text and compression == "gzip"

    def page_is_gzipped(self, compression: str) -> bool:
        """Return whether the stored pages are gzip."""
        return self.is_gzipped(compression) or (self.is_made and not self.is_text)

    def page_name(self, page_no: int, compression: str, *, single_file: bool) -> str:
        """Return where a page is stored."""
        if not self.is_cut:
            return self.file_name(None, compression)
        if not self.is_staged(single_file=single_file):
            return self.file_name(page_no, compression)
        extension = self.asks["format"] + (".gz" if self.page_is_gzipped(compression) else "")
        return f"{STAGED_PAGES}/page-{page_no:05}.{extension}"

    def file_name(self, page_no: int | None, compression: str) -> str:
        """Return a delivered file: the part of a page, or the single file."""
        stem = "items" if page_no is None else f"part-{page_no:05}"
        return f"{stem}.{self.name}{'.gz' if self.is_gzipped(compression) else ''}"

    def query(self, query: Query) -> dict[str, str]:
        """Return what pages are asked for with."""
        return {**query, **self.asks}

    def read_stored(self, query: Query) -> PageText:
        """Read a page that is in the sink."""
        return (self.rereads or self.reads)(query)


def delimiter_of(query: Query) -> str:
    return query.get("delimiter", ",")


def _lines(_query: Query) -> PageText:
    return JsonLines()


def _markup(name: str, *media_types: str, row: str, ends: tuple[str, ...], headers: int = 0) -> ReadText:
    return lambda _query: Markup(name, *media_types, row=row, ends=ends, headers=headers)


def _xml(query: Query) -> PageText:
    root, row = query.get("xmlRoot", "items"), query.get("xmlRow", "item")
    return Markup("XML", "xml", row=row, ends=(f"</{root}>", f"<{root}/>"))


FORMATS: Final[Mapping[str, Format]] = {
    format_.name: format_
    for format_ in (
        Format("jsonl", _lines, {"format": "jsonl"}),
        Format("json", lambda _query: JsonArray(), {"format": "jsonl"}, rereads=lambda _query: StoredArray()),
        Format(
            "csv",
            lambda query: CsvText(delimiter_of(query)),
            {"format": "csv", "bom": "false", "skipHeaderRow": "false"},
            is_made=True,
        ),
        Format("parquet", _lines, {"format": "jsonl"}, is_made=True),
        Format("xml", _xml, {"format": "xml"}),
        Format("html", _markup("HTML", "html", row="tr", ends=("</table>", "</html>"), headers=1), {"format": "html"}),
        Format("rss", _markup("RSS", "rss", "xml", row="item", ends=("</rss>",)), {"format": "rss"}),
        Format("xlsx", lambda _query: Workbook(), {"format": "xlsx"}),
    )
}
"""By the name that `collect.format` gives them."""

"""The formats in which items come, by the name that `format` gives them (`docs/platform-facts.md#formats`)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from actorline.emulator.dataset.markup import rss_text, xml_text
from actorline.emulator.dataset.tables import ReadBlocks, csv_text, html_text, xlsx_file
from actorline.emulator.errors import invalid_value
from actorline.emulator.params import Params
from actorline.emulator.profile import JSON_TYPE

BOM: Final = "\ufeff".encode()


@dataclass(frozen=True)
class Format:
    """`write` makes the body of the items, which it may read more than once; raises `ApiError` before it begins."""

    media_type: str
    write: Callable[[ReadBlocks, Params, str], Iterator[bytes]]
    is_text: bool = True
    has_bom: bool = False

    def body(self, read: ReadBlocks, params: Params, dataset_id: str) -> Iterator[bytes]:
        bom = params.boolean("bom")
        starts = [BOM] if self.is_text and (self.has_bom if bom is None else bom) else []
        return chain(starts, self.write(read, params, dataset_id))


def _jsonl(read: ReadBlocks, _params: Params, _dataset_id: str) -> Iterator[bytes]:
    return read()


def _json(read: ReadBlocks, _params: Params, _dataset_id: str) -> Iterator[bytes]:
    """Yield one array: no JSON holds a bare newline, so each one is a border between items."""
    opening = b"["
    for block in read():
        yield opening + block[:-1].replace(b"\n", b",\n")
        opening = b",\n"
    yield b"[]" if opening == b"[" else b"]"


def _csv(read: ReadBlocks, params: Params, _dataset_id: str) -> Iterator[bytes]:
    delimiter = params.text("delimiter") or ","
    if len(delimiter) > 1 or delimiter in '"\r\n':
        raise invalid_value("delimiter", "one character, no quote and no line end")
    return csv_text(read, delimiter=delimiter, header=not params.flag("skipHeaderRow"))


def _html(read: ReadBlocks, _params: Params, _dataset_id: str) -> Iterator[bytes]:
    return html_text(read)


def _xlsx(read: ReadBlocks, _params: Params, _dataset_id: str) -> Iterator[bytes]:
    return xlsx_file(read)


def _xml(read: ReadBlocks, params: Params, _dataset_id: str) -> Iterator[bytes]:
    return xml_text(read(), root=params.text("xmlRoot") or "items", row=params.text("xmlRow") or "item")


def _rss(read: ReadBlocks, params: Params, dataset_id: str) -> Iterator[bytes]:
    title = params.text("feedTitle") or f"Dataset {dataset_id}"
    description = params.text("feedDescription") or f'Items in dataset with id "{dataset_id}".'
    return rss_text(read(), title=title, description=description)


FORMATS: Final[Mapping[str, Format]] = {
    "json": Format(JSON_TYPE, _json),
    "jsonl": Format("application/jsonl; charset=utf-8", _jsonl),
    "csv": Format("text/csv; charset=utf-8", _csv, has_bom=True),
    "html": Format("text/html; charset=utf-8", _html),
    "xml": Format("application/xml; charset=utf-8", _xml),
    "rss": Format("application/rss+xml; charset=utf-8", _rss),
    "xlsx": Format("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _xlsx, is_text=False),
}

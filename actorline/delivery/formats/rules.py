"""Which parameters go with which format (`docs/platform-facts.md#item-parameters`): contradictions are refused."""

from collections.abc import Mapping
from typing import Any, Final

FORMAT_NAMES: Final = ("jsonl", "json", "csv", "parquet", "xml", "html", "rss", "xlsx")
ONLY_FOR: Final[Mapping[str, frozenset[str]]] = {
    "delimiter": frozenset({"csv"}),
    "skip_header_row": frozenset({"csv"}),
    "xml_root": frozenset({"xml"}),
    "xml_row": frozenset({"xml"}),
}
MARKED: Final = frozenset({"csv", "xml", "html", "rss"})
TEXT: Final = MARKED | {"jsonl", "json"}
"""Formats that may be gzipped, and begin with a byte order mark."""
CUT: Final = frozenset({"jsonl", "json", "csv", "parquet"})
"""Formats that come in pages."""


def contradiction(format_name: str, given: Mapping[str, Any]) -> str | None:
    """Return why these parameters can't go with a format; `given`: those that aren't at their defaults."""
    for name, formats in ONLY_FOR.items():
        if name in given and format_name not in formats:
            return f"{name} is for {' and '.join(formats)} only, and the format is {format_name}"
    bom, delimiter = given.get("bom"), given.get("delimiter", ",")
    if bom is not None and format_name not in TEXT:
        return f"bom is for text formats, and {format_name} is not one"
    if bom and format_name not in MARKED:
        return f"bom puts a byte order mark in front, which makes readers of {format_name} fail"
    if len(delimiter) != 1 or delimiter in '"\r\n':
        return "delimiter must be one character, other than a quote or a line end"
    if "page_items" in given and format_name not in CUT:
        return f"page_items can't be given: {format_name} comes in one response, not in pages"
    return None

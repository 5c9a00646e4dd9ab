"""A schedule's document is a template: `{due}` and `{date}` in it are those of the due time."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

_PLACEHOLDER: Final = re.compile(r"{{(due|date)}}|{(due|date)}")


def fill_document(document: Mapping[str, Any], due: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """The document with the placeholders filled in, in the texts of its input and labels and in its sink's URL.

    `{due}` becomes the due time in UTC (`2026-11-23T02:00:00Z`), `{date}` its date in `zone` (`2026-11-23`). Doubled
    braces stay, as single ones: `{{date}}` becomes `{date}`, which in the sink's URL is the UTC date of queued_at then.
    Other braces are left alone, so code in an input needs no care but for these two names.
    """
    values = {"due": iso_utc(due), "date": due.astimezone(zone).date().isoformat()}
    filled = dict(document)
    for name in ("input", "labels"):
        if name in filled:
            filled[name] = _fill(filled[name], values)
    sink = filled.get("sink")
    if isinstance(sink, Mapping) and "url" in sink:
        filled["sink"] = {**sink, "url": _fill(sink["url"], values)}
    return filled


def iso_utc(due: datetime) -> str:
    """`2026-11-23T02:00:00Z`: due times are whole seconds."""
    return due.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fill(value: Any, values: Mapping[str, str]) -> Any:
    """The value with every text in it filled; the names of fields stay as they are."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: f"{{{found[1]}}}" if found[1] else values[found[2]], value)
    if isinstance(value, Mapping):
        return {name: _fill(part, values) for name, part in value.items()}
    if isinstance(value, list):
        return [_fill(part, values) for part in value]
    return value

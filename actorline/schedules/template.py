"""A schedule's document is a template: `{due}` and `{date}` are replaced by those of the due time."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

_PLACEHOLDER: Final = re.compile(r"{{(due|date)}}|{(due|date)}")


def fill_document(document: Mapping[str, Any], due: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Return the document with the placeholders of its input, its labels and its sink's URL filled in.

    `{due}` becomes the due time in UTC (`2026-11-23T02:00:00Z`), `{date}` its date in `zone` (`2026-11-23`). Doubled
    braces become single ones: `{{date}}` becomes `{date}`, which the sink's URL replaces by the UTC date of queued_at.
    Other braces stay as they are, so code in an input is safe except for these two names.
    """
    values = {"due": iso_utc(due), "date": due.astimezone(zone).date().isoformat()}
    filled = dict(document)
    for name in ("input", "inputs", "inputs_url", "split", "labels"):
        if name in filled:
            filled[name] = _fill(filled[name], values)
    sink = filled.get("sink")
    if isinstance(sink, Mapping) and "url" in sink:
        filled["sink"] = {**sink, "url": _fill(sink["url"], values)}
    return filled


def iso_utc(due: datetime) -> str:
    """Return `2026-11-23T02:00:00Z`: due times are whole seconds."""
    return due.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fill(value: Any, values: Mapping[str, str]) -> Any:
    """Return the value with the placeholders of every text filled in; names of fields stay as they are."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: f"{{{found[1]}}}" if found[1] else values[found[2]], value)
    if isinstance(value, Mapping):
        return {name: _fill(part, values) for name, part in value.items()}
    if isinstance(value, list):
        return [_fill(part, values) for part in value]
    return value

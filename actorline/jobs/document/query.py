"""A section of a document as query parameters of the API."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from actorline.jobs.document.section import Section


def query_of(section: Section, parameters: Mapping[str, str]) -> dict[str, str]:
    """Return what the section says that isn't the default; the format is always said."""
    defaults = type(section).model_fields
    values = {ours: getattr(section, ours) for ours in parameters}
    return {
        parameters[ours]: _parameter(value)
        for ours, value in values.items()
        if ours == "format" or value != defaults[ours].default
    }


def _parameter(value: Any) -> str:
    """Return a value as written in a query: `docs/platform-facts.md#query-parameters`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{Decimal(str(value)):f}"
    return ",".join(value) if isinstance(value, list) else str(value)

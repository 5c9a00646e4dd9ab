"""What a JSON Schema says of the values that a field may have, for the references."""

from collections.abc import Mapping
from typing import Any, Final

GREAT: Final = 1_000_000


def known(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a field may be besides null."""
    first: Mapping[str, Any] = field.get("anyOf", [field])[0]
    return first


def bounds(field: Mapping[str, Any]) -> str:
    """Return `(1 to 10)` or `(at least 1)`; nothing without a least value."""
    low, high = known(field).get("minimum"), known(field).get("maximum")
    if "exclusiveMaximum" in known(field):
        high = known(field)["exclusiveMaximum"] - 1  # only whole numbers have one
    if low is None:
        return ""
    return f" ({low:g} to {_shown(high)})" if high is not None else f" (at least {low:g})"


def _shown(high: float) -> str:
    """Return a number in full: `315,360,000` reads better than `3.1536e+08`."""
    return f"{high:g}" if high < GREAT else f"{int(high):,}"

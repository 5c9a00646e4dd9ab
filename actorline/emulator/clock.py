"""The emulator's one clock: unix seconds that never go backwards, and may be far from the machine's."""

import time
from datetime import UTC, datetime

_wall_at_zero = time.time() - time.monotonic()


def now() -> float:
    return _wall_at_zero + time.monotonic()


def set_ahead(secs: float) -> None:
    """Let the clock be so far ahead of the machine's; negative: behind it. To be called before anything has a time."""
    global _wall_at_zero  # noqa: PLW0603 - a process has one clock
    _wall_at_zero += secs


def whole_millis(at: float) -> float:
    """Return the time as the platform tells it, so that a filter by the told time includes what happened at it."""
    return int(at * 1000) / 1000


def iso(at: float) -> str:
    """Format in the platform's form of a time: UTC, milliseconds, `Z` (`docs/platform-facts.md#query-parameters`)."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_iso(text: str) -> float:
    """Return Unix seconds; a time without a zone is UTC.

    Raises `ValueError`: the text is no ISO 8601 time.
    """
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()

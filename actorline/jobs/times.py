"""Times as results and messages show them."""

from datetime import UTC, datetime


def iso_time(unix_seconds: float | None) -> str | None:
    """Return `2026-11-23T08:15:30.123Z`, as the platform writes times."""
    if unix_seconds is None:
        return None
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_time_of(moment: datetime | None) -> str | None:
    return None if moment is None else iso_time(moment.timestamp())


def minute_text(unix_seconds: float) -> str:
    """Return `2026-11-23 08:15 UTC`, as messages give times."""
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%Y-%m-%d %H:%M} UTC"

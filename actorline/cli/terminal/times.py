"""Times for the terminal: local, without the date if it is today's. `--json` has ISO 8601."""

from datetime import datetime
from typing import Final

DAY: Final = "%Y-%m-%d"
CLOCK: Final = "%H:%M:%S"
MINUTE_SECS: Final = 60
HOUR_SECS: Final = 3600


def short_time(unix_seconds: float) -> str:
    """Return `14:05:08`, or `2026-11-27 14:05` if that was another day."""
    at = local_time(unix_seconds)
    return f"{at:{CLOCK}}" if at.date() == datetime.now(at.tzinfo).date() else f"{at:{DAY} %H:%M}"


def local_time(unix_seconds: float) -> datetime:
    """Return the moment in this machine's time zone."""
    return datetime.fromtimestamp(unix_seconds).astimezone()


def duration_text(seconds: float) -> str:
    """Return `0:07`, `12:34` or `1:02:03`."""
    whole = max(int(seconds), 0)
    hours, minutes = whole // HOUR_SECS, whole % HOUR_SECS // MINUTE_SECS
    rest = whole % MINUTE_SECS
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

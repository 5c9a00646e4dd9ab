"""Times for the terminal: local, without the date if it is today's. `--json` has ISO 8601."""

from datetime import datetime
from typing import Final

DAY: Final = "%Y-%m-%d"
CLOCK: Final = "%H:%M:%S"


def short_time(unix_seconds: float) -> str:
    """Return `14:05:08`, or `2026-11-27 14:05` if that was another day."""
    at = local_time(unix_seconds)
    return f"{at:{CLOCK}}" if at.date() == datetime.now(at.tzinfo).date() else f"{at:{DAY} %H:%M}"


def local_time(unix_seconds: float) -> datetime:
    """Return the moment in this machine's time zone."""
    return datetime.fromtimestamp(unix_seconds).astimezone()

"""The days and months of a time zone, as budgets count them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Period:
    """`name`: `2026-11-28` or `2026-11`. `begins_at`, `ends_at`: unix seconds; a day may have 23 or 25 hours."""

    name: str
    begins_at: float
    ends_at: float


def day_at(at: float, zone: ZoneInfo) -> Period:
    """Return the day in which a time lies."""
    day = datetime.fromtimestamp(at, zone).date()
    return Period(f"{day:%Y-%m-%d}", _midnight(day, zone), _midnight(day + timedelta(days=1), zone))


def month_at(at: float, zone: ZoneInfo) -> Period:
    """Return the month in which a time lies."""
    first = datetime.fromtimestamp(at, zone).date().replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return Period(f"{first:%Y-%m}", _midnight(first, zone), _midnight(following, zone))


def _midnight(day: date, zone: ZoneInfo) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()

"""When a schedule is due: at an interval, or by the local time of a time zone.

Due times are whole seconds in UTC and follow from the schedule alone, so any number of beats agree on them. When
clocks change, each time of day is due once a day: one that the clock skips is due right after the skip, and one that
comes twice is due the first time. A cron whose hour is `*` is due in every hour that passes.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from celery.schedules import crontab

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_DAYS_AHEAD: Final = 366 * 8 + 2  # 29 February comes at least once in eight years
_HOURS: Final = 24
_CRON_FIELDS: Final = 5
_SUNDAY_7: Final = 7
_NUMBERED_DAYS: Final = re.compile(r"([0-9]+)(?:-([0-9]+))?(?:/([1-9]))?")
_NAMED_CRONS: Final[Mapping[str, str]] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def moment(unix_seconds: float) -> datetime:
    return datetime.fromtimestamp(unix_seconds, UTC)


class Rhythm(Protocol):
    def next_due(self, after: datetime) -> datetime | None:
        """Return the first due time later than `after`; None: there is none in the next years."""

    def latest_due(self, after: datetime, until: datetime) -> datetime | None:
        """Return the last due time in `(after, until]`."""


@dataclass(frozen=True)
class Interval:
    """Due at the multiples of `every_secs` since 1970."""

    every_secs: int

    def next_due(self, after: datetime) -> datetime:
        return moment((int(after.timestamp()) // self.every_secs + 1) * self.every_secs)

    def latest_due(self, after: datetime, until: datetime) -> datetime | None:
        latest = moment(int(until.timestamp()) // self.every_secs * self.every_secs)
        return latest if latest > after else None


@dataclass(frozen=True)
class WallClock:
    """Due at the minutes that match a cron expression in a time zone. Day of month and day of week must both match, as
    in Celery. Raises ValueError for an invalid expression.
    """

    cron: str
    zone: ZoneInfo

    def __post_init__(self) -> None:
        _fields(self.cron)

    def next_due(self, after: datetime) -> datetime | None:
        day = after.astimezone(self.zone).date() - _DAY  # its clock may be set back across midnight
        for _ in range(_DAYS_AHEAD):
            later = [due for due in self._around(day) if due > after]
            if later:
                return min(later)
            day += _DAY
        return None

    def latest_due(self, after: datetime, until: datetime) -> datetime | None:
        day, first = (moment.astimezone(self.zone).date() for moment in (until, after))
        while day >= first - _DAY:
            within = [due for due in self._around(day) if after < due <= until]
            if within:
                return max(within)
            day -= _DAY
        return None

    def _around(self, day: date) -> tuple[datetime, ...]:
        """Return the due times of a day and the next, which interleave if the clock is set back across midnight."""
        return _due_on(self.cron, self.zone, day) + _due_on(self.cron, self.zone, day + _DAY)


def due_times(rhythm: Rhythm, after: datetime) -> Iterator[datetime]:
    """Yield the due times later than `after`, as far as they are known."""
    due = rhythm.next_due(after)
    while due is not None:
        yield due
        due = rhythm.next_due(due)


def passed_over(rhythm: Rhythm, after: datetime, due: datetime) -> datetime | None:
    """Return the last due time between two others."""
    return rhythm.latest_due(after, due - _SECOND)


@lru_cache(maxsize=256)
def _due_on(cron: str, zone: ZoneInfo, day: date) -> tuple[datetime, ...]:
    fields = _fields(cron)
    if not (
        day.month in fields.month_of_year
        and day.day in fields.day_of_month
        and day.isoweekday() % 7 in fields.day_of_week
    ):
        return ()
    every_hour = len(fields.hour) == _HOURS
    walls = (
        datetime.combine(day, time(hour, minute), zone)
        for hour in sorted(fields.hour)
        for minute in sorted(fields.minute)
    )
    return tuple(moment for wall in walls for moment in _moments(wall, every_pass=every_hour))


def _moments(wall: datetime, *, every_pass: bool) -> Iterator[datetime]:
    """Yield the moments of a local time. PEP 495: fold 0 uses the offset before a change, fold 1 the one after."""
    first, second = wall.replace(fold=0), wall.replace(fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    if before is not None and after is not None and before < after:
        yield _end_of_leap(first, second)
        return
    yield first.astimezone(UTC)
    if every_pass and before != after:
        yield second.astimezone(UTC)


def _end_of_leap(wall: datetime, after: datetime) -> datetime:
    """Return the moment at which the clock skips a time of day: with the offset before the change, that time is after
    the skip, and with the offset after it, before.
    """
    seconds = range(int(after.timestamp()), int(wall.timestamp()) + 1)
    leapt = bisect_left(
        seconds, 1, key=lambda at: datetime.fromtimestamp(at, wall.tzinfo).utcoffset() == after.utcoffset()
    )
    return moment(seconds[leapt])


@lru_cache(maxsize=64)
def _fields(cron: str) -> Any:
    """Return Celery's crontab (its stubs lack the fields), which knows neither `@daily` nor 7 for Sunday."""
    parts = _NAMED_CRONS.get(cron.strip(), cron).split()
    if len(parts) != _CRON_FIELDS:
        raise ValueError(f"found {len(parts)}, expected minute, hour, day of month, month, day of week")
    *others, weekdays = parts
    return crontab.from_string(" ".join([*others, ",".join(map(_from_sunday_0, weekdays.split(",")))]))


def _from_sunday_0(weekdays: str) -> str:
    """Return a day or range of days with Sunday as 0 where it was 7, as crontab(5) allows. Raises ValueError."""
    found = _NUMBERED_DAYS.fullmatch(weekdays)
    if not found:
        return weekdays
    first, last, step = (int(number) if number else None for number in found.groups())
    if (number := max(first or 0, last or 0)) > _SUNDAY_7:
        raise ValueError(f"a day of the week is 0 to 7, where 0 and 7 are Sunday, not {number}")
    if _SUNDAY_7 not in {first, last}:
        return weekdays
    if last != _SUNDAY_7:
        return re.sub(r"^7", "0", weekdays)
    return ",".join(str(day % _SUNDAY_7) for day in range(first or 0, _SUNDAY_7 + 1, step or 1))

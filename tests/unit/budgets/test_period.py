"""Days and months of a time zone, over the turn of both and over daylight saving."""

from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorline.budgets.period import day_at, month_at

PRAGUE = ZoneInfo("Europe/Prague")


def at(text):
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("time", "day", "month"),
    [
        ("2026-11-28T22:59:59+00:00", "2026-11-28", "2026-11"),
        ("2026-11-28T23:00:00+00:00", "2026-11-29", "2026-11"),
        ("2026-11-30T23:00:00+00:00", "2026-12-01", "2026-12"),
        ("2026-12-31T22:59:59+00:00", "2026-12-31", "2026-12"),
        ("2028-02-29T12:00:00+00:00", "2028-02-29", "2028-02"),
    ],
)
def test_day_and_month_are_those_of_the_time_zone(time, day, month):
    assert day_at(at(time), PRAGUE).name == day
    assert month_at(at(time), PRAGUE).name == month


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-28", 24)])
def test_day_has_as_many_hours_as_the_clock_shows(day, hours):
    found = day_at(at(f"{day}T12:00:00+00:00"), PRAGUE)
    assert (found.ends_at - found.begins_at) / 3600 == hours


@given(st.floats(0, 4_000_000_000), st.sampled_from(sorted(available_timezones())))
def test_time_lies_in_its_day_and_month_in_every_zone(time, name):
    zone = ZoneInfo(name)
    for period_at in (day_at, month_at):
        period = period_at(time, zone)
        assert period.begins_at <= time < period.ends_at
        assert period_at(period.ends_at, zone).begins_at == period.ends_at

"""Due times: tables of clocks and calendars, and what holds for every rhythm."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorline.schedules.rhythm import Interval, Rhythm, WallClock, due_times, passed_over


def rhythm(due: str | int, timezone: str = "UTC") -> Rhythm:
    return WallClock(due, ZoneInfo(timezone)) if isinstance(due, str) else Interval(due)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("due", "timezone", "after", "following"),
    [
        (3600, "UTC", "2026-11-23 03:00:00", "2026-11-23 04:00:00"),
        (3600, "UTC", "2026-11-23 02:59:59.999999", "2026-11-23 03:00:00"),
        (7, "UTC", "1970-01-01 00:00:00", "1970-01-01 00:00:07"),
        ("0 3 * * *", "UTC", "2026-11-23 02:59:59", "2026-11-23 03:00:00"),
        ("0 3 * * *", "UTC", "2026-11-23 03:00:00", "2026-11-24 03:00:00"),
        ("0  3 * * * ", "UTC", "2026-11-23 03:00:00", "2026-11-24 03:00:00"),
        ("*/15 * * * *", "UTC", "2026-11-23 03:14:30", "2026-11-23 03:15:00"),
        ("0 3 * * *", "Europe/Prague", "2026-11-23 00:00:00", "2026-11-23 02:00:00"),
        ("30 8 * * 1", "Asia/Kolkata", "2026-11-23 03:00:00", "2026-11-30 03:00:00"),
        ("0 0 * * 0", "UTC", "2026-11-23 00:00:00", "2026-11-29 00:00:00"),
        ("0 0 * * 7", "UTC", "2026-11-23 00:00:00", "2026-11-29 00:00:00"),
        ("0 0 * * 6-7", "UTC", "2026-11-28 00:00:00", "2026-11-29 00:00:00"),
        ("0 0 * * 7-1", "UTC", "2026-11-29 00:00:00", "2026-11-30 00:00:00"),
        ("0 0 * * 3,5-7/2", "UTC", "2026-11-27 00:00:00", "2026-11-29 00:00:00"),
        ("0 0 * * 1-7/7", "UTC", "2026-11-23 00:00:00", "2026-11-30 00:00:00"),
        ("@daily", "UTC", "2026-11-23 00:00:00", "2026-11-24 00:00:00"),
        ("@weekly", "UTC", "2026-11-23 00:00:00", "2026-11-29 00:00:00"),
        ("@hourly", "UTC", "2026-11-23 00:00:00", "2026-11-23 01:00:00"),
        ("0 3 13 * fri", "UTC", "2026-11-01 00:00:00", "2026-11-13 03:00:00"),
        ("0 0 1 1 *", "Pacific/Auckland", "2026-06-01 00:00:00", "2026-12-31 11:00:00"),
        ("0 0 29 2 *", "UTC", "2025-01-01 00:00:00", "2028-02-29 00:00:00"),
        ("0 0 29 2 *", "UTC", "2096-03-01 00:00:00", "2104-02-29 00:00:00"),
    ],
)
def test_next_due_is_the_first_time_later_than_the_one_given(due, timezone, after, following):
    assert rhythm(due, timezone).next_due(utc(after)) == utc(following)


def test_a_day_that_does_not_come_for_years_has_no_due_time():
    leap_monday = rhythm("0 0 29 2 1")  # 2044
    assert leap_monday.next_due(utc("2026-01-01 00:00:00")) is None
    assert leap_monday.latest_due(utc("2026-01-01 00:00:00"), utc("2027-01-01 00:00:00")) is None
    assert leap_monday.next_due(utc("2040-01-01 00:00:00")) == utc("2044-02-29 00:00:00")


PRAGUE, NEW_YORK = "Europe/Prague", "America/New_York"


@pytest.mark.parametrize(
    ("cron", "timezone", "after", "dues"),
    [
        # Prague, 2027-03-28: the clock leaps from 02:00 to 03:00, at 01:00 in UTC
        ("30 2 * * *", PRAGUE, "2027-03-27 01:30", ["2027-03-28 01:00", "2027-03-29 00:30"]),
        ("0,20,40 2 * * *", PRAGUE, "2027-03-27 12:00", ["2027-03-28 01:00", "2027-03-29 00:00", "2027-03-29 00:20"]),
        ("30 2,3 * * *", PRAGUE, "2027-03-27 12:00", ["2027-03-28 01:00", "2027-03-28 01:30", "2027-03-29 00:30"]),
        ("0 3 * * *", PRAGUE, "2027-03-27 12:00", ["2027-03-28 01:00", "2027-03-29 01:00"]),
        ("0 * * * *", PRAGUE, "2027-03-28 00:00", ["2027-03-28 01:00", "2027-03-28 02:00"]),
        ("*/30 * * * *", PRAGUE, "2027-03-28 00:00", ["2027-03-28 00:30", "2027-03-28 01:00", "2027-03-28 01:30"]),
        # 2027-10-31: 02:00 to 03:00 comes twice, at 00:00 and at 01:00 in UTC
        ("30 2 * * *", PRAGUE, "2027-10-30 12:00", ["2027-10-31 00:30", "2027-11-01 01:30"]),
        ("0 3 * * *", PRAGUE, "2027-10-30 12:00", ["2027-10-31 02:00", "2027-11-01 02:00"]),
        (
            "*/30 2,3 * * *",
            PRAGUE,
            "2027-10-30 12:00",
            ["2027-10-31 00:00", "2027-10-31 00:30", "2027-10-31 02:00", "2027-10-31 02:30"],
        ),
        ("30 * * * *", PRAGUE, "2027-10-31 00:00", ["2027-10-31 00:30", "2027-10-31 01:30", "2027-10-31 02:30"]),
        # New York, 2027-03-14: from 02:00 to 03:00, at 07:00 in UTC
        ("30 2 * * *", NEW_YORK, "2027-03-13 12:00", ["2027-03-14 07:00", "2027-03-15 06:30"]),
        # 2027-11-07: 01:00 to 02:00 comes twice, at 05:00 and at 06:00 in UTC
        ("30 1 * * *", NEW_YORK, "2027-11-06 12:00", ["2027-11-07 05:30", "2027-11-08 06:30"]),
        ("0 * * * *", NEW_YORK, "2027-11-07 04:30", ["2027-11-07 05:00", "2027-11-07 06:00", "2027-11-07 07:00"]),
        # half an hour only; a whole day that was left out; a clock that was put back to midnight
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 00:00", ["2026-10-03 15:30", "2026-10-04 15:15"]),
        ("0 9 * * *", "Pacific/Apia", "2011-12-29 19:00", ["2011-12-30 10:00", "2011-12-30 19:00"]),
        (
            "30 23,0 * * *",
            "Asia/Amman",
            "2006-10-26 12:00",
            ["2006-10-26 20:30", "2006-10-26 21:30", "2006-10-27 21:30"],
        ),
    ],
)
def test_each_time_of_day_is_due_once_when_clocks_change(cron, timezone, after, dues):
    assert list(islice(due_times(rhythm(cron, timezone), utc(after)), len(dues))) == [utc(due) for due in dues]


def test_an_interval_knows_no_clock_on_the_wall():
    assert list(islice(due_times(rhythm(1800), utc("2027-03-28 00:45")), 2)) == [
        utc("2027-03-28 01:00"),
        utc("2027-03-28 01:30"),
    ]


@pytest.mark.parametrize(
    ("due", "after", "until", "latest"),
    [
        (60, "2026-11-23 03:00:00", "2026-11-23 03:00:59", None),
        (60, "2026-11-23 03:00:00", "2026-11-23 03:01:00", "2026-11-23 03:01:00"),
        (60, "2026-11-23 03:00:00", "2026-11-23 03:59:59", "2026-11-23 03:59:00"),
        ("0 3 * * *", "2026-11-20 03:00:00", "2026-11-23 02:00:00", "2026-11-22 03:00:00"),
        ("0 3 * * *", "2026-11-23 03:00:00", "2026-11-23 03:00:00", None),
        ("0 3 * * *", "2026-11-23 03:00:00", "2026-11-20 03:00:00", None),
        ("0 3 1 * *", "2021-01-01 00:00:00", "2026-11-23 03:00:00", "2026-11-01 03:00:00"),
    ],
)
def test_latest_due_is_the_last_of_those_that_have_passed(due, after, until, latest):
    assert rhythm(due).latest_due(utc(after), utc(until)) == (utc(latest) if latest else None)


def test_passed_over_is_the_last_due_time_in_between():
    assert passed_over(rhythm(60), utc("2026-11-23 03:00"), utc("2026-11-23 03:02")) == utc("2026-11-23 03:01")
    assert passed_over(rhythm(60), utc("2026-11-23 03:00"), utc("2026-11-23 03:01")) is None


moments = st.datetimes(datetime(1980, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - naive bounds
zones = st.sampled_from(["UTC", PRAGUE, NEW_YORK, "Asia/Kathmandu", "Australia/Lord_Howe"])
crons = st.builds(
    "{} {} {} * {}".format,
    st.sampled_from(["*", "0", "59", "*/7", "5,35"]),
    st.sampled_from(["*", "0", "2", "23", "9-17"]),
    st.sampled_from(["*", "1", "31"]),
    st.sampled_from(["*", "0", "1-5"]),
)
rhythms = st.builds(rhythm, st.one_of(st.integers(1, 10_000_000), crons), zones)


@given(rhythms, moments)
def test_next_due_is_later_and_nothing_lies_between(plan, moment):
    due = plan.next_due(moment)
    assert due > moment
    assert plan.latest_due(moment, due - timedelta(microseconds=1)) is None
    assert plan.latest_due(moment, due) == due
    assert plan.next_due(due - timedelta(microseconds=1)) == due


@given(rhythms, moments, st.integers(0, 400))
def test_latest_due_is_in_the_span_and_the_last_one_there(plan, moment, count):
    step = timedelta(seconds=plan.every_secs) if isinstance(plan, Interval) else timedelta(hours=1)
    until = moment + step * count / 10
    due = plan.latest_due(moment, until)
    following = plan.next_due(until)
    if due is None:
        assert plan.next_due(moment) == following
    else:
        assert moment < due <= until
        assert plan.next_due(due) == following


@given(st.integers(0, 23), st.integers(0, 59), zones, moments)
def test_a_daily_cron_is_due_once_each_day(hour, minute, zone, moment):
    daily = rhythm(f"{minute} {hour} * * *", zone)
    days = [due.astimezone(ZoneInfo(zone)).date() for due in islice(due_times(daily, moment), 40)]
    assert days == [days[0] + timedelta(days=number) for number in range(40)]

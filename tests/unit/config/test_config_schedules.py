"""Due times: tables of clocks and calendars, what holds for every schedule, and which files are refused."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorline.settings import SettingsError
from config.schedules import Schedule, due_key, load_schedules

DOCUMENT = {"actor": "demo/rows"}


def schedule(rhythm: str | int, timezone: str = "UTC") -> Schedule:
    field = "cron" if isinstance(rhythm, str) else "every_secs"
    return Schedule(**{field: rhythm}, timezone=timezone, document=DOCUMENT)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("rhythm", "timezone", "after", "due"),
    [
        (3600, "UTC", "2026-11-23 03:00:00", "2026-11-23 04:00:00"),
        (3600, "UTC", "2026-11-23 02:59:59.999999", "2026-11-23 03:00:00"),
        (7, "UTC", "1970-01-01 00:00:00", "1970-01-01 00:00:07"),
        ("0 3 * * *", "UTC", "2026-11-23 02:59:59", "2026-11-23 03:00:00"),
        ("0 3 * * *", "UTC", "2026-11-23 03:00:00", "2026-11-24 03:00:00"),
        ("*/15 * * * *", "UTC", "2026-11-23 03:14:30", "2026-11-23 03:15:00"),
        ("0 3 * * *", "Europe/Prague", "2026-11-23 00:00:00", "2026-11-23 02:00:00"),
        ("30 8 * * 1", "Asia/Kolkata", "2026-11-23 03:00:00", "2026-11-30 03:00:00"),
        ("0 0 * * 0", "UTC", "2026-11-23 00:00:00", "2026-11-29 00:00:00"),
        ("0 0 1 1 *", "Pacific/Auckland", "2026-06-01 00:00:00", "2026-12-31 11:00:00"),
        ("0 0 29 2 *", "UTC", "2025-01-01 00:00:00", "2028-02-29 00:00:00"),
        ("0 0 29 2 *", "UTC", "2096-03-01 00:00:00", "2104-02-29 00:00:00"),
    ],
)
def test_next_due_is_the_first_time_later_than_the_one_given(rhythm, timezone, after, due):
    assert schedule(rhythm, timezone).next_due(utc(after)) == utc(due)


def test_day_that_does_not_come_for_years_has_no_due_time():
    leap_monday = schedule("0 0 29 2 1")  # 2044
    assert leap_monday.next_due(utc("2026-01-01 00:00:00")) is None
    assert leap_monday.latest_due(utc("2026-01-01 00:00:00"), utc("2027-01-01 00:00:00")) is None
    assert leap_monday.next_due(utc("2040-01-01 00:00:00")) == utc("2044-02-29 00:00:00")


@pytest.mark.parametrize(
    ("cron", "after", "dues"),
    [
        # Prague, 2027-03-28: 02:00 to 03:00 doesn't exist, so what is due at 02:30 is left out on that day
        ("30 2 * * *", "2027-03-27 00:00:00", ["2027-03-27 01:30:00", "2027-03-29 00:30:00"]),
        ("0 * * * *", "2027-03-28 00:00:00", ["2027-03-28 01:00:00", "2027-03-28 02:00:00"]),
        ("0 3 * * *", "2027-03-27 12:00:00", ["2027-03-28 01:00:00", "2027-03-29 01:00:00"]),
        # 2027-10-31: 02:00 to 03:00 comes twice
        ("30 2 * * *", "2027-10-30 12:00:00", ["2027-10-31 00:30:00", "2027-10-31 01:30:00", "2027-11-01 01:30:00"]),
        ("0 3 * * *", "2027-10-30 12:00:00", ["2027-10-31 02:00:00", "2027-11-01 02:00:00"]),
    ],
)
def test_days_on_which_the_clock_is_changed(cron, after, dues):
    prague, moment, found = schedule(cron, "Europe/Prague"), utc(after), []
    for _ in dues:
        moment = prague.next_due(moment)
        found.append(moment)
    assert found == [utc(due) for due in dues]


@pytest.mark.parametrize(
    ("rhythm", "after", "until", "due"),
    [
        (60, "2026-11-23 03:00:00", "2026-11-23 03:00:59", None),
        (60, "2026-11-23 03:00:00", "2026-11-23 03:01:00", "2026-11-23 03:01:00"),
        (60, "2026-11-23 03:00:00", "2026-11-23 03:59:59", "2026-11-23 03:59:00"),
        ("0 3 * * *", "2026-11-20 03:00:00", "2026-11-23 02:00:00", "2026-11-22 03:00:00"),
        ("0 3 * * *", "2026-11-23 03:00:00", "2026-11-23 03:00:00", None),
        ("0 3 * * *", "2026-11-23 03:00:00", "2026-11-20 03:00:00", None),
    ],
)
def test_beat_that_was_late_orders_the_last_due_time_only(rhythm, after, until, due):
    assert schedule(rhythm).latest_due(utc(after), utc(until)) == (utc(due) if due else None)


moments = st.datetimes(datetime(1980, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - naive bounds
zones = st.sampled_from(["UTC", "Europe/Prague", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])
crons = st.builds(
    "{} {} {} * {}".format,
    st.sampled_from(["*", "0", "59", "*/7", "5,35"]),
    st.sampled_from(["*", "0", "2", "23", "9-17"]),
    st.sampled_from(["*", "1", "31"]),
    st.sampled_from(["*", "0", "1-5"]),
)
schedules = st.builds(schedule, st.one_of(st.integers(1, 10_000_000), crons), zones)


@given(schedules, moments)
def test_next_due_is_later_and_nothing_lies_between(plan, moment):
    due = plan.next_due(moment)
    assert due > moment
    assert plan.latest_due(moment, due - timedelta(microseconds=1)) is None
    assert plan.latest_due(moment, due) == due
    assert plan.next_due(due - timedelta(microseconds=1)) == due


@given(schedules, moments, st.integers(0, 400))
def test_latest_due_is_in_the_span_and_the_last_one_there(plan, moment, count):
    step = timedelta(seconds=plan.every_secs) if plan.every_secs else timedelta(hours=1)
    until = moment + step * count / 10
    due = plan.latest_due(moment, until)
    following = plan.next_due(until)
    if due is None:
        assert plan.next_due(moment) == following
    else:
        assert moment < due <= until
        assert plan.next_due(due) == following


def test_key_names_the_schedule_and_the_due_time_in_utc():
    due = datetime.fromisoformat("2026-11-23T04:00:00+01:00")
    assert due_key("nightly", due) == "nightly@2026-11-23T03:00:00Z"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('cron = "0 3 * *"', "schedules.one.cron: is no cron expression of five fields"),
        ('cron = "0 24 * * *"', "schedules.one.cron: is no cron expression of five fields"),
        ("every_secs = 0", "schedules.one.every_secs"),
        ('cron = "0 0 30 2 *"', "never occurs"),
        ("", "schedules.one: give exactly one of cron and every_secs"),
        ('cron = "0 3 * * *"\nevery_secs = 5', "schedules.one: give exactly one of cron and every_secs"),
        ('every_secs = 5\ntimezone = "Mars"', "schedules.one.timezone: 'Mars' is no time zone"),
        ("every_secs = 5\nevery = 5", "schedules.one.every: Extra inputs are not permitted"),
    ],
)
def test_wrong_schedule_is_refused_with_its_place(tmp_path, text, words):
    file = tmp_path / "schedules.toml"
    file.write_text(f'[schedules.one]\n{text}\n[schedules.one.document]\nactor = "demo/rows"\n')
    with pytest.raises(SettingsError) as raised:
        load_schedules(file)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[schedules.one\n", "can't be read"),
        ("[schedules.one]\nevery_secs = 5\n", "schedules.one.document: Field required"),
        ('[schedules."a b"]\nevery_secs = 5\ndocument = {actor = "demo/rows"}\n', "the name 'a b'"),
        (f'[schedules.{"n" * 101}]\nevery_secs = 5\ndocument = {{actor = "demo/rows"}}\n', "at most 100"),
        ('[schedules."\u00e9"]\nevery_secs = 5\ndocument = {actor = "demo/rows"}\n', "must consist of letters"),
        ('[schedules.one]\nevery_secs = 5\ndocument = {actor = "demo/rows", key = "k"}\n', "has a key"),
        ('[schedules.one]\nevery_secs = 5\ndocument = {acter = "demo/rows"}\n', 'did you mean "actor"'),
        ("[jobs]\n", "jobs: Extra inputs are not permitted"),
    ],
)
def test_wrong_file_is_refused_with_each_mistake(tmp_path, text, words):
    file = tmp_path / "schedules.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as raised:
        load_schedules(file)
    assert words in str(raised.value)


def test_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"gone\.toml can't be read"):
        load_schedules(tmp_path / "gone.toml")

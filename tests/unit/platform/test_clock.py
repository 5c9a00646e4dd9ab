from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from actorline.platform.clock import moment_ago, platform_time

RUNS = "https://api.example.test/v2/actor-runs"


def respond_at(api, date: str | None) -> None:
    api.get(RUNS, json={"data": {"items": []}}, headers={} if date is None else {"Date": date})


def test_the_platforms_time_is_the_date_of_its_answer(platform, api):
    respond_at(api, "Mon, 23 Nov 2026 08:15:30 GMT")
    assert platform_time(platform) == datetime(2026, 11, 23, 8, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 01 Jan 99999999999 00:00:00 GMT"])
def test_an_answer_that_tells_no_time_is_no_fault(platform, api, date):
    respond_at(api, date)
    assert platform_time(platform) is None


@pytest.mark.parametrize(
    ("platform_ahead", "counted_from"), [(timedelta(hours=-1), timedelta(hours=-1)), (timedelta(hours=1), timedelta())]
)
def test_a_moment_ago_is_told_by_the_clock_that_is_behind(platform, api, platform_ahead, counted_from):
    respond_at(api, format_datetime(datetime.now(UTC) + platform_ahead, usegmt=True))
    expected = datetime.now(UTC) + counted_from - timedelta(seconds=90)
    assert abs(moment_ago(platform, 90) - expected) < timedelta(seconds=5)


def test_without_a_time_from_there_ours_is_taken(platform, api):
    respond_at(api, None)
    assert abs(moment_ago(platform, 90) - (datetime.now(UTC) - timedelta(seconds=90))) < timedelta(seconds=5)

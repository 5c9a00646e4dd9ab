"""Times in the terminal are those of the person's own clock, with the date only where it is another day's."""

import time
from datetime import datetime, timedelta

import pytest

from actorline.cli.terminal.timeline import print_timeline
from actorline.cli.terminal.times import short_time
from actorline.ledger.timeline import TimelineEntry


@pytest.fixture(params=["UTC", "Asia/Tokyo"], autouse=True)
def zone(request, monkeypatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def today_at_noon() -> datetime:
    return datetime.now().replace(  # noqa: DTZ005
        hour=12, minute=0, second=5, microsecond=0
    )


def test_timeline_names_the_day_only_where_it_changes(capsys):
    noon = today_at_noon()
    before = noon - timedelta(days=1)
    moments = [before, before, noon]
    print_timeline([TimelineEntry("1-0", at.timestamp(), "queued", {}) for at in moments])
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        f"{before:%Y-%m-%d}", "12:00:05  queued", "12:00:05  queued", f"{noon:%Y-%m-%d}", "12:00:05  queued",
    ]  # fmt: skip


def test_timeline_of_today_has_no_date(capsys):
    print_timeline([TimelineEntry("1-0", today_at_noon().timestamp(), "queued", {})])
    assert capsys.readouterr().out == "  12:00:05  queued\n"


def test_short_time_has_the_date_of_another_day():
    noon = today_at_noon()
    assert short_time(noon.timestamp()) == "12:00:05"
    assert short_time((noon - timedelta(days=3)).timestamp()) == f"{noon - timedelta(days=3):%Y-%m-%d} 12:00"

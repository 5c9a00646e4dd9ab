"""Times in the terminal are those of the person's own clock, with the date only where it is another day's."""

import time
from datetime import datetime, timedelta

import pytest

from actorline.cli.terminal.timeline import BAR_WIDTH, bar_text, print_pages, print_timeline, print_waterfall
from actorline.cli.terminal.times import short_time
from actorline.ledger.timeline import TimelineEntry
from actorline.story.page_bars import PageBar
from actorline.story.waterfall import Bar, Phase, bars


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
    print_timeline([TimelineEntry(f"{no}-0", at.timestamp(), "queued", {}) for no, at in enumerate(moments)])
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        f"{before:%Y-%m-%d}", "12:00:05  Ordered", "12:00:05  Ordered", f"{noon:%Y-%m-%d}", "12:00:05  Ordered",
    ]  # fmt: skip


def test_timeline_of_today_has_no_date(capsys):
    print_timeline([TimelineEntry("1-0", today_at_noon().timestamp(), "queued", {})])
    assert capsys.readouterr().out == "  12:00:05  Ordered\n"


@pytest.mark.parametrize(
    ("left", "width", "begin", "length"),
    [(0, 1000, 0, BAR_WIDTH), (0, 4, 0, 1), (996, 4, BAR_WIDTH - 1, 1), (500, 250, BAR_WIDTH // 2, BAR_WIDTH // 4)],
)
def test_a_part_of_a_life_is_a_bar_of_text(left, width, begin, length):
    text = bar_text(Bar(Phase("Running", 1, 0, 1), left, width))
    assert text == (" " * begin + "=" * length).ljust(BAR_WIDTH)


def test_a_waterfall_fits_80_columns(capsys):
    phases = [Phase("Waiting", 12, 0, 1), Phase("Collecting", 12, 1, 8 * 3600 + 59 * 60 + 1)]
    print_waterfall(bars(phases), with_attempts=True)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].endswith("| 8 h 59 min")


def test_bars_of_pages_fit_80_columns(capsys):
    print_pages([PageBar(100, 109, 0.0, 520.0, 1_000_000, is_good=True, left=0, width=1000, lane=0)])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_short_time_has_the_date_of_another_day():
    noon = today_at_noon()
    assert short_time(noon.timestamp()) == "12:00:05"
    assert short_time((noon - timedelta(days=3)).timestamp()) == f"{noon - timedelta(days=3):%Y-%m-%d} 12:00"

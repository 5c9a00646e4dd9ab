"""Pages as bars: on the axis of the job's life, beside each other where they were read at once."""

from actorline.delivery.page_plan import Window
from actorline.delivery.receipt import Receipt
from actorline.story.page_bars import page_bars
from actorline.story.waterfall import Axis, Phase

AXIS = Axis.of([Phase("Running", 1, 100, 140), Phase("Collecting", 1, 140, 150)])


def page(number: int, stored_at: float | None, seconds: float, **facts) -> Receipt:
    return Receipt(
        page_no=number, offset=number, limit=1, scanned=1, items=5, stored_at=stored_at, seconds=seconds, **facts
    )


def test_pages_stand_where_they_were_read():
    bars = page_bars({0: page(0, 120, 10), 1: page(1, 130, 5, error="cut")}, AXIS, most=10)
    assert [(bar.left, bar.width, bar.rows, bar.is_good) for bar in bars] == [(200, 200, 5, True), (500, 100, 5, False)]


def test_pages_read_at_once_have_lanes_of_their_own():
    pages = {number: page(number, end, 10) for number, end in enumerate([112, 113, 125, 126])}
    assert [bar.lane for bar in page_bars(pages, AXIS, most=10)] == [0, 1, 0, 1]


def test_many_pages_share_bars_and_planned_ones_have_none():
    pages = {number: page(number, 110 + number, 1) for number in range(10)}
    planned = {10: Window(page_no=10, offset=10, limit=1), 11: page(11, None, 0)}
    bars = page_bars({**pages, **planned}, AXIS, most=4)
    assert [(bar.first, bar.last, bar.rows) for bar in bars] == [(0, 2, 15), (3, 5, 15), (6, 8, 15), (9, 9, 5)]
    assert (bars[0].begin, bars[0].end) == (109, 112)


def test_a_page_of_a_wrong_clock_stays_on_the_axis():
    (before, after) = page_bars({0: page(0, 50, 1), 1: page(1, 900, 1)}, AXIS, most=10)
    assert before.left == 0
    assert after.left + after.width <= 1000

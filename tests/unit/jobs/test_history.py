"""What past runs say of the next one."""

import pytest

from actorline.jobs.history import History, PastRun, Spread


def test_nothing_ran_before():
    assert History.of([]) is None


@pytest.mark.parametrize(
    ("values", "median", "p90"),
    [([5], 5, 5), ([1, 2, 3, 4], 2.5, 4), (range(1, 11), 5.5, 9), (range(1, 101), 50.5, 90), ([3, 1, 2], 2, 3)],
)
def test_nine_of_ten_dont_exceed_the_second_figure(values, median, p90):
    assert Spread.of(values) == Spread(median=median, p90=p90)


def test_runs_like_it_are_summed_up():
    runs = [PastRun(0.5, 1000, 2.0, succeeded=True), PastRun(0.25, 0, None, succeeded=False)]
    found = History.of(runs)
    assert (found.runs, found.succeeded, found.usd_per_1000_rows) == (2, 1, 0.75)
    assert (found.cost_usd.median, found.rows.p90, found.minutes.median) == (0.375, 1000, 2)
    assert History.of(runs[1:]).usd_per_1000_rows is None
    assert History.of(runs[1:]).minutes is None

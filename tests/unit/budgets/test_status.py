"""How a budget stands: what is left, and what it comes to at this pace."""

import pytest

from actorline.budgets.limits import Limits
from actorline.budgets.reservation import NANO, Count
from actorline.budgets.status import periods_of, status_of

LIMITS = Limits(daily_usd=10, monthly_usd=100)
MIDNIGHT = 1_764_288_000.0  # 2025-11-28 00:00 UTC


def day(count, *, hours):
    now = MIDNIGHT + hours * 3600
    (_, period, limit), _ = periods_of(LIMITS, now)
    return status_of("account:a", LIMITS, "day", period, limit, count=count, waiting=0, now=now)


def test_each_limit_has_its_period():
    assert [(kind, period.name, limit) for kind, period, limit in periods_of(LIMITS, MIDNIGHT)] == [
        ("day", "2025-11-28", 10),
        ("month", "2025-11", 100),
    ]


@pytest.mark.parametrize(
    ("spent", "reserved", "left", "share"), [(0, 0, 10, 0), (2, 3, 5, 0.5), (9, 1, 0, 1), (12, 0, 0, 1.2)]
)
def test_what_is_left_is_never_less_than_nothing(spent, reserved, left, share):
    status = day(Count(spent * NANO, reserved * NANO), hours=6)
    assert (status.left_usd, status.share) == (left, share)


@pytest.mark.parametrize(("hours", "forecast"), [(0.5, None), (6, 8.0), (12, 4.0), (23.9, 3.0)])
def test_forecast_follows_the_pace_but_not_below_what_is_taken(hours, forecast):
    assert day(Count(2 * NANO, 1 * NANO), hours=hours).forecast_usd == forecast

"""How much of a budget's day or month is spent, and what it comes to at this pace."""

from typing import Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from actorline.budgets.limits import Limits
from actorline.budgets.period import Period, day_at, month_at
from actorline.budgets.reservation import NANO, Count, Entry, nano

FORECAST_FROM: Final = 1 / 24
"""The share of a period after which its pace says something: an hour of a day."""


class BudgetStatus(BaseModel):
    """One limit of a budget, in the period that is running."""

    model_config = ConfigDict(frozen=True)

    budget: str = Field(description="`account:{alias}` or `label:{name}={value}`")
    period: Literal["day", "month"]
    name: str = Field(description="The day, `2026-11-28`, or the month, `2026-11`")
    timezone: str
    begins_at: float = Field(description="Unix seconds")
    ends_at: float = Field(description="Unix seconds")
    limit_usd: float
    spent_usd: float = Field(
        description="By runs that were started in the period; one whose cost is never told counts with what it reserved"
    )
    reserved_usd: float = Field(description="What those of them that are running may still cost")
    left_usd: float = Field(description="0 if more was spent than the limit")
    forecast_usd: float | None = Field(description="What is spent at the end at this pace; null: too early to tell")
    waiting: int = Field(0, description="Jobs that wait for this budget")
    hard: bool

    @property
    def share(self) -> float:
        """Return which part of the limit is spent or reserved."""
        return (self.spent_usd + self.reserved_usd) / self.limit_usd


def periods_of(limits: Limits, at: float) -> list[tuple[Literal["day", "month"], Period, float]]:
    """Return the periods that have a limit, and the limit."""
    zone = ZoneInfo(limits.timezone)
    day, month = day_at(at, zone), month_at(at, zone)
    found: list[tuple[Literal["day", "month"], Period, float]] = []
    if limits.daily_usd is not None:
        found.append(("day", day, limits.daily_usd))
    if limits.monthly_usd is not None:
        found.append(("month", month, limits.monthly_usd))
    return found


def entry_of(budget: str, period: Period) -> Entry:
    return Entry(budget=budget, period=period.name)


def status_of(
    budget: str,
    limits: Limits,
    kind: Literal["day", "month"],
    period: Period,
    limit_usd: float,
    *,
    count: Count,
    waiting: int,
    now: float,
) -> BudgetStatus:
    """Return how a period stands; `count`: what is spent and reserved in it."""
    share = (now - period.begins_at) / (period.ends_at - period.begins_at)
    pace = count.spent / share if share >= FORECAST_FROM else None
    return BudgetStatus(
        budget=budget,
        period=kind,
        name=period.name,
        timezone=limits.timezone,
        begins_at=period.begins_at,
        ends_at=period.ends_at,
        limit_usd=limit_usd,
        spent_usd=count.spent / NANO,
        reserved_usd=count.reserved / NANO,
        left_usd=max(nano(limit_usd) - count.taken, 0) / NANO,
        forecast_usd=None if pace is None else round(max(pace, count.taken) / NANO, 2),
        waiting=waiting,
        hard=limits.hard,
    )

"""`/money`: what was spent today and this month, what came of it, and what budgets leave."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from actorline.gateway.pages.presentation.columns import columns
from actorline.gateway.pages.rendering import PageRoute, page
from actorline.gateway.pages.visit import Visitor
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.budget_status import read_budgets
from actorline.ledger.queries.savings import Savings, read_savings
from actorline.ledger.queries.spending import MOST_JOBS, Spending, Sum, read_spending

router = APIRouter(route_class=PageRoute, include_in_schema=False)

FRESH_SECS: Final = 20.0
DAY_SECS: Final = 86_400
HOUR_SECS: Final = 3_600
DAYS_A_MONTH: Final = 31
HOURS_A_DAY: Final = 24
NAMES_SHOWN: Final = 20
Accounts = frozenset[str] | None


@dataclass(frozen=True)
class Figures:
    """`saved`: since the ledger began; `day_begins`, `month_begins`: unix seconds, in UTC."""

    today: Spending
    month: Spending
    saved: Savings
    day_begins: float
    month_begins: float


_KEPT: dict[Accounts, tuple[float, Figures]] = {}
"""The last figures by accounts: reading them takes up to a second, and people reload."""


@router.get("/money")
def money(visitor: Visitor) -> Response:
    """Show what the jobs of the visitor's accounts have cost."""
    context, rights = visitor.context, visitor.grant.rights
    figures = _figures(context.ledger, rights.accounts)
    found = [each for each in read_budgets(context.ledger, context.settings.budgets) if rights.sees_budget(each.budget)]
    tables = [(kind, list(_rows(figures, kind))) for kind in ("account", "Actor", "label")]
    days, hours = days_of(figures), hours_of(figures)
    return page(
        "money.html",
        visitor,
        figures=figures,
        budgets=found,
        tables=tables,
        days=columns(days, DAYS_A_MONTH),
        dollars=columns([(name, each.usd) for name, each in hours], HOURS_A_DAY),
        rows=columns([(name, float(each.rows)) for name, each in hours], HOURS_A_DAY),
        ends=ends_of(figures),
        most=MOST_JOBS,
    )


def _figures(ledger: Ledger, accounts: Accounts) -> Figures:
    read_at, kept = _KEPT.get(accounts, (float("-inf"), None))
    if kept is None or time.monotonic() - read_at > FRESH_SECS:
        now = datetime.fromtimestamp(ledger.now(), UTC)
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        month = day.replace(day=1).timestamp()
        today, whole = (read_spending(ledger, since, accounts=accounts) for since in (day.timestamp(), month))
        kept = Figures(today, whole, read_savings(ledger, accounts=accounts), day.timestamp(), month)
        _KEPT[accounts] = time.monotonic(), kept
    return kept


def _rows(figures: Figures, kind: str) -> Iterator[tuple[str, Sum, Sum]]:
    """Yield name, today's sum and the month's, the dearest first."""
    month = sorted(figures.month.by[kind].items(), key=lambda item: (-item[1].usd, item[0]))
    for name, whole in month[:NAMES_SHOWN]:
        yield name, figures.today.by[kind].get(name, Sum()), whole


def days_of(figures: Figures) -> list[tuple[str, float]]:
    """Return the dollars of each day of the month so far."""
    first = int(figures.month_begins // DAY_SECS)
    last = max([first, *figures.month.days])
    return [
        (f"{datetime.fromtimestamp(day * DAY_SECS, UTC):%d %b}".lstrip("0"), figures.month.days.get(day, 0.0))
        for day in range(first, last + 1)
    ]


def hours_of(figures: Figures) -> list[tuple[str, Sum]]:
    """Return what the jobs of each hour of the day come to, up to the last one with jobs."""
    begins = int(figures.day_begins // HOUR_SECS)
    last = max([begins, *figures.today.hours])
    return [(f"{hour - begins:02}:00", figures.today.hours.get(hour, Sum())) for hour in range(begins, last + 1)]


def ends_of(figures: Figures) -> list[tuple[State, int, float]]:
    """Return how many of the month's jobs ended in each state, and how much of the most that is, of 1,000."""
    found = [(state, figures.month.states[state]) for state in State if state in TERMINAL]
    most = max([1, *(number for _, number in found)])
    return [(state, number, number / most * 1000) for state, number in found if number]

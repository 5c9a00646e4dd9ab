"""`/money`: what was spent today and this month, and what budgets leave."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from actorline.gateway.pages.rendering import PageRoute, page
from actorline.gateway.pages.visit import Visitor
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.budget_status import read_budgets
from actorline.ledger.queries.spending import MOST_JOBS, Spending, Sum, read_spending

router = APIRouter(route_class=PageRoute, include_in_schema=False)

FRESH_SECS: Final = 20.0
DAY_SECS: Final = 86_400
NAMES_SHOWN: Final = 20
Accounts = frozenset[str] | None


@dataclass(frozen=True)
class Figures:
    """`month_begins`: unix seconds, in UTC."""

    today: Spending
    month: Spending
    month_begins: float


@dataclass(frozen=True)
class DayBar:
    """A day of the month, `left`, `top`, `height` of 1,000 by 100 units."""

    name: str
    usd: float
    left: float
    width: float
    height: float


_KEPT: dict[Accounts, tuple[float, Figures]] = {}
"""The last figures by accounts: reading them takes up to a second, and people reload."""


@router.get("/money")
def money(visitor: Visitor) -> Response:
    """Show what the jobs of the visitor's accounts have cost."""
    context, rights = visitor.context, visitor.grant.rights
    figures = _figures(context.ledger, rights.accounts)
    found = [each for each in read_budgets(context.ledger, context.settings.budgets) if rights.sees_budget(each.budget)]
    tables = [(kind, list(_rows(figures, kind))) for kind in ("account", "Actor", "label")]
    return page(
        "money.html", visitor, figures=figures, budgets=found, tables=tables, days=day_bars(figures), most=MOST_JOBS
    )


def _figures(ledger: Ledger, accounts: Accounts) -> Figures:
    read_at, kept = _KEPT.get(accounts, (float("-inf"), None))
    if kept is None or time.monotonic() - read_at > FRESH_SECS:
        now = datetime.fromtimestamp(ledger.now(), UTC)
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        month = day.replace(day=1).timestamp()
        today, whole = (read_spending(ledger, since, accounts=accounts) for since in (day.timestamp(), month))
        kept = Figures(today, whole, month)
        _KEPT[accounts] = time.monotonic(), kept
    return kept


def _rows(figures: Figures, kind: str) -> Iterator[tuple[str, Sum, Sum]]:
    """Yield name, today's sum and the month's, the dearest first."""
    month = sorted(figures.month.by[kind].items(), key=lambda item: (-item[1].usd, item[0]))
    for name, whole in month[:NAMES_SHOWN]:
        yield name, figures.today.by[kind].get(name, Sum()), whole


def day_bars(figures: Figures) -> list[DayBar]:
    """Return the days of the month so far as bars; the dearest fills the height."""
    first = int(figures.month_begins // DAY_SECS)
    last = max([first, *figures.month.days])
    dearest = max([*figures.month.days.values(), 0.01])
    width = 1000 / 31
    return [
        DayBar(
            f"{datetime.fromtimestamp(day * DAY_SECS, UTC):%d %b}".lstrip("0"),
            usd := figures.month.days.get(day, 0.0),
            (day - first) * width,
            width - 4,
            usd / dearest * 100,
        )
        for day in range(first, last + 1)
    ]

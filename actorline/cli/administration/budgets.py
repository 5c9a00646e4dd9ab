"""`budgets`: what is spent, reserved and left."""

from dataclasses import asdict
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.markup import escape

from actorline.budgets.status import BudgetStatus
from actorline.cli.attach import attach
from actorline.cli.terminal.output import out, print_json, say
from actorline.cli.terminal.table import new_table
from actorline.ledger.queries.budget_status import read_budgets
from actorline.ledger.queries.savings import Savings, read_savings
from actorline.settings import load_settings
from actorline.story.number_words import counted, usd

NUMBERS: Final = ("spent", "reserved", "left", "limit", "forecast", "waiting")


def budgets(*, as_json: bool) -> None:
    settings = load_settings()
    with attach(settings, workers=False) as stack:
        found = read_budgets(stack.ledger, settings.budgets)
        saved = read_savings(stack.ledger, accounts=None)
    if as_json:
        for status in found:
            print_json(status.model_dump(mode="json"))
        print_json({"saved": asdict(saved)})
    elif found:
        _print(found)
    else:
        say("No budgets are set: the tables [budgets] of actorline.toml make them (docs/budgets.md).")
    if not as_json:
        say(_saved(saved))


def _saved(saved: Savings) -> str:
    """Return in words what wasn't paid."""
    return (
        f"Not paid since the ledger began: {counted(saved.joined, 'order')} joined a job that existed "
        f"({usd(saved.joined_usd)}), {counted(saved.reused, 'job')} used an earlier delivery "
        f"({usd(saved.reused_usd)}), {counted(saved.stopped, 'run')} stopped that no job wanted (dollars not known)."
    )


def _print(found: list[BudgetStatus]) -> None:
    table = new_table(("budget", "period", *NUMBERS, "ends"), right=NUMBERS, whole={"period"})
    for status in found:
        ends = datetime.fromtimestamp(status.ends_at, ZoneInfo(status.timezone))
        table.add_row(
            escape(status.budget) + (" (hard)" if status.hard else ""),
            status.name,
            *(f"${value:,.2f}" for value in (status.spent_usd, status.reserved_usd, status.left_usd, status.limit_usd)),
            "" if status.forecast_usd is None else f"${status.forecast_usd:,.2f}",
            f"{status.waiting:,}",
            f"{ends:%Y-%m-%d %H:%M} {status.timezone}",
        )
    out.print(table)

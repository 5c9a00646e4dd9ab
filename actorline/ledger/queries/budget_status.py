"""The budgets of the settings as they stand in the ledger."""

from actorline.budgets.limits import Budgets
from actorline.budgets.status import BudgetStatus, entry_of, periods_of, status_of
from actorline.ledger.ledger import Ledger


def read_budgets(ledger: Ledger, budgets: Budgets) -> list[BudgetStatus]:
    """Return each limit of each budget, in two round trips however many there are."""
    now = ledger.now()
    rows = [
        (budget, limits, kind, period, limit_usd)
        for budget, limits in budgets.named()
        for kind, period, limit_usd in periods_of(limits, now)
    ]
    counts = ledger.budgets.read(entry_of(budget, period) for budget, _, _, period, _ in rows)
    waiting = ledger.budgets.waiting([budget for budget, *_ in rows])
    return [
        status_of(*row, count=count, waiting=jobs, now=now)
        for row, count, jobs in zip(rows, counts, waiting, strict=True)
    ]

"""`/v1/budgets`: what is spent, reserved and left, and what wasn't paid."""

from fastapi import APIRouter
from pydantic import BaseModel

from actorline.budgets.status import BudgetStatus
from actorline.gateway.context import MayRead
from actorline.gateway.openapi import problems
from actorline.ledger.queries.budget_status import read_budgets
from actorline.ledger.queries.savings import Savings, read_savings

router = APIRouter(prefix="/v1/budgets", tags=["budgets"])


class BudgetList(BaseModel):
    """`saved`: since the ledger began, of the accounts that the sender sees."""

    budgets: list[BudgetStatus]
    saved: Savings


@router.get("", summary="Read the budgets", responses=problems(401, 403, 500, 503))
def budgets(authorized: MayRead) -> BudgetList:
    """Return each limit of each budget in the period that is running. An API key sees the budgets of its accounts;
    those of labels, which count the jobs of all accounts, only if it covers all.
    """
    context, rights = authorized.context, authorized.grant.rights
    found = read_budgets(context.ledger, context.settings.budgets)
    return BudgetList(
        budgets=[status for status in found if rights.sees_budget(status.budget)],
        saved=read_savings(context.ledger, accounts=rights.accounts),
    )

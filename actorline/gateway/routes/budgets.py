"""`/v1/budgets`: what is spent, reserved and left."""

from fastapi import APIRouter
from pydantic import BaseModel

from actorline.budgets.status import BudgetStatus
from actorline.gateway.context import MayRead
from actorline.gateway.openapi import problems
from actorline.ledger.queries.budget_status import read_budgets

router = APIRouter(prefix="/v1/budgets", tags=["budgets"])


class BudgetList(BaseModel):
    budgets: list[BudgetStatus]


@router.get("", summary="Read the budgets", responses=problems(401, 403, 500, 503))
def budgets(authorized: MayRead) -> BudgetList:
    """Return each limit of each budget in the period that is running. An API key sees the budgets of its accounts;
    those of labels, which count the jobs of all accounts, only if it covers all.
    """
    context = authorized.context
    found = read_budgets(context.ledger, context.settings.budgets)
    return BudgetList(budgets=[status for status in found if authorized.grant.rights.sees_budget(status.budget)])

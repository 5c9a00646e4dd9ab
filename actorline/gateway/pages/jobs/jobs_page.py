"""`/`: the jobs, the newest first."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from actorline.gateway.pages.jobs.job_changes import CANCELS, ORDERS
from actorline.gateway.pages.jobs.job_filter import SPANS, JobFilter
from actorline.gateway.pages.jobs.shown_jobs import read_jobs
from actorline.gateway.pages.rendering import PageRoute, page
from actorline.gateway.pages.visit import Visit, Visitor
from actorline.identifiers import AccountName
from actorline.jobs.states import State
from actorline.ledger.admission.pause import EVERY_ACCOUNT, paused_accounts
from actorline.ledger.queries.tally import read_tally
from actorline.upkeep.unattended import describe_missing, missing_workers

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/")
def jobs(request: Request, visitor: Visitor) -> Response:
    """Show a page of the jobs that fit the URL's filter."""
    wanted, cursor = JobFilter.parse(request.query_params), request.query_params.get("cursor")
    return page(
        "jobs.html",
        visitor,
        wanted=wanted,
        list=read_jobs(visitor, wanted, cursor),
        is_first=not cursor,
        states=tuple(State),
        spans=SPANS,
        open_batches=visitor.context.ledger.batches.count_open(visitor.grant.rights.accounts),
        may_change=any(map(visitor.has, (*CANCELS, *ORDERS))),
        warnings=_warnings(visitor),
    )


def _warnings(visitor: Visit) -> list[str]:
    """Return what keeps jobs from moving."""
    tally = read_tally(visitor.context.ledger)
    missing = describe_missing(missing_workers(tally))
    found = [f"No {' and no '.join(missing)}: jobs wait. Start, or restart, them: `actorline up`, `actorline worker`."]
    paused = paused_accounts(visitor.context.ledger)
    seen = [
        account for account in sorted(paused) if account == EVERY_ACCOUNT or visitor.grant.sees(AccountName(account))
    ]
    whose = "every account" if EVERY_ACCOUNT in seen else ", ".join(seen)
    return [*(found if missing else []), *([f"New runs are paused for {whose}."] if seen else [])]

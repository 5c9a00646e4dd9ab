"""`/batches`: many inputs ordered as one, the newest first."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from actorline.batches.batch import BatchProgress
from actorline.batches.listing import list_batches
from actorline.gateway.pages.presentation.member_bar import parts_of
from actorline.gateway.pages.rendering import PageRoute, page
from actorline.gateway.pages.visit import Visitor
from actorline.jobs.states import State
from actorline.ledger.queries.listing import Cursor

router = APIRouter(route_class=PageRoute, include_in_schema=False)

BATCHES_A_PAGE = 50
LONGEST_TEXT = 200


@router.get("/batches")
def batches(request: Request, visitor: Visitor) -> Response:
    """Show a page of the batches of the visitor's accounts."""
    ledger, query = visitor.context.ledger, request.query_params
    cursor, text = query.get("cursor"), query.get("text", "").strip()[:LONGEST_TEXT]
    found = list_batches(
        ledger,
        limit=BATCHES_A_PAGE,
        after=Cursor.parse(cursor) if cursor else None,
        accounts=visitor.grant.rights.accounts,
        text=text,
    )
    now = ledger.now()
    lines = [
        (batch, BatchProgress.of(batch, now), parts_of(_members(batch.ended, batch.live), batch.inputs))
        for batch in found.batches
    ]
    return page(
        "batches.html",
        visitor,
        lines=lines,
        now=now,
        text=text,
        is_first=not cursor,
        next=found.next and str(found.next),
    )


def _members(ended: dict[State, int], live: int) -> dict[State, int]:
    return {**ended, State.RUNNING: live}

"""Streams of events to open pages. They end when the visitor signs out or the page can no longer change."""

from collections.abc import AsyncIterator, Callable
from functools import partial

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.errors import Refused
from actorline.gateway.pages.pulse import CHANGED, Event
from actorline.gateway.pages.visit import Visit, Visitor, visit
from actorline.gateway.problems import Fault
from actorline.gateway.routes.events import Stream

router = APIRouter(include_in_schema=False)


@router.get("/live")
async def live_jobs(request: Request, visitor: Visitor) -> Response:
    """Tell a list of jobs of each change."""
    return stream(request, visitor, visitor.context.pulse.of_jobs(visitor.grant.rights.accounts))


def stream_of(request: Request, visitor: Visit, state: Callable[[], object]) -> Response:
    """Return a stream that tells when what `state` returns is another, until it returns None. Raises Fault."""
    return stream(request, visitor, visitor.context.pulse.of(partial(run_in_threadpool, state)))


def stream(request: Request, visitor: Visit, events: AsyncIterator[Event]) -> Response:
    """Return a stream of events. Raises Fault if the visitor, or all together, have too many open."""
    streams, holder = visitor.context.pages, visitor.grant.holder
    streams.take(holder)
    return Stream(_while_welcome(request, events), partial(streams.give_back, holder))


async def _while_welcome(request: Request, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    async for event in events:
        yield event
        if event is CHANGED and not await _is_welcome(request):
            return


async def _is_welcome(request: Request) -> bool:
    try:
        await visit(request)
    except (Refused, Fault):
        return False
    return True

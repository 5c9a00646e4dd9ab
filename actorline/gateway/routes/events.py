"""`/v1/jobs/{key}/events`: a job's timeline while it grows, as server-sent events."""

import json
import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from actorline.errors import Code, Refused
from actorline.gateway.context import AuthorizedRequest, MayRead
from actorline.gateway.openapi import KeyInPath, Responses, problems
from actorline.gateway.problems import Fault
from actorline.identifiers import JobKey
from actorline.jobs.job_result import JobResult
from actorline.ledger.timeline import TimelineEntry

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

ID_PATTERN: Final = r"^\d{1,19}-\d{1,19}$"  # two 64-bit numbers, as in Redis
PING_SECS: Final = 15
END_SECS: Final = 8.0  # for a stream to end by itself at SIGTERM; the server breaks off what is open two seconds later
TIMELINE_LOOK_SECS: Final = 5.0  # a job that is purged meanwhile adds nothing to its timeline

EVENT: Final = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
}
EVENTS: Final[Responses] = {
    200: {
        "description": "Entries of the timeline; at the job's end an event `result`, then the stream ends",
        "content": {"text/event-stream": {"schema": EVENT}},
    },
    204: {"description": "The job has ended and everything was sent: don't reconnect"},
    **problems(401, 403, 404, 422, 429, 500, 503),
}
LastEventId = Annotated[
    str | None,
    Header(
        description="The last event received; the stream continues after it",
        json_schema_extra={"pattern": ID_PATTERN},
    ),
]


@router.get("/{key}/events", summary="Follow a job", response_class=Response, responses=EVENTS)
async def events(
    request: Request,
    key: KeyInPath,
    authorized: MayRead,
    last_event_id: LastEventId = None,
) -> Response:
    """Stream the timeline: each event has an entry's id, its name, and `{"at": unix seconds, "event": name, ...}`."""
    return await follow(request, key, last_event_id, authorized, find=authorized.find_job, result=JobResult.of)


async def follow(
    request: Request,
    key: JobKey,
    last_event_id: str | None,
    authorized: AuthorizedRequest,
    *,
    find: Callable[[JobKey], Any],
    result: Callable[[Any], BaseModel],
) -> Response:
    """Stream the timeline of a job or batch from an entry on, and its result at the end."""
    after = _checked(last_event_id)
    look = partial(_look, authorized, find)
    found, entries = await run_in_threadpool(look, key, after)
    if found.is_terminal and not entries and last_event_id is not None:
        return Response(status_code=204)  # by the EventSource specification this stops reconnects
    authorized.context.streams.take(authorized.grant.holder)
    return Stream(
        _entries(request, authorized, key, after, look, result),
        partial(authorized.context.streams.give_back, authorized.grant.holder),
    )


async def _entries(
    request: Request,
    authorized: AuthorizedRequest,
    key: JobKey,
    after: str,
    look: Callable[..., Any],
    result: Callable[[Any], BaseModel],
) -> AsyncIterator[dict[str, Any]]:
    timelines = authorized.context.timelines
    while not timelines.is_stopping():
        try:
            await authorized.admit_again(request)
            found, entries = await run_in_threadpool(look, key, after)
        except (Refused, Fault):  # the key was revoked, or the job's retention is over
            return
        for entry in entries:
            yield _event(entry)
            after = entry.id
        if found.is_terminal:
            yield {"event": "result", "data": result(found).model_dump_json()}
            return
        await timelines.grown(key, after, TIMELINE_LOOK_SECS)


def _look(
    authorized: AuthorizedRequest, find: Callable[[JobKey], Any], key: JobKey, after: str
) -> tuple[Any, list[TimelineEntry]]:
    """Return the job or batch, and then its timeline's entries after `after`: all of them if it has ended."""
    return find(key), authorized.context.ledger.timeline.after(key, after)


def _event(entry: TimelineEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "event": entry.event,
        "data": json.dumps({"at": entry.at, "event": entry.event, **entry.data}),
    }


def _checked(last_event_id: str | None) -> str:
    """Return a valid id of a Redis stream. Raises Refused."""
    if last_event_id is None:
        return "0-0"
    if not re.fullmatch(ID_PATTERN, last_event_id, re.ASCII):
        raise Refused(Code.REQUEST_INVALID, "Unknown Last-Event-ID. Leave it out.")
    return last_event_id


class Stream(EventSourceResponse):
    """Releases its slot at its end, whatever the cause."""

    def __init__(self, events: AsyncIterator[dict[str, Any]], give_back: Callable[[], None]) -> None:
        super().__init__(events, ping=PING_SECS, shutdown_grace_period=END_SECS)
        self._give_back = give_back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._give_back()

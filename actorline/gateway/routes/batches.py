"""`/v1/batches`: order many inputs as one, show, cancel and retry them, list their members, read their rows."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.batches.batch import Batch, BatchResult
from actorline.batches.cancel import cancel_batch
from actorline.batches.delivery import BatchDelivery, open_batch
from actorline.batches.estimate import estimate_batch
from actorline.batches.retry import retry_batch
from actorline.batches.submit import SubmittedBatch, submit_batch
from actorline.errors import Code, Refused
from actorline.gateway.auditing import note_change
from actorline.gateway.context import AuthorizedRequest, MayCancel, MayOrder, MayRead
from actorline.gateway.intake.body import key_in, parse_json, with_key
from actorline.gateway.openapi import (
    BATCH_BODY,
    AnyCaseState,
    IdempotencyKey,
    KeyInPath,
    RequestKey,
    batch_result,
    problems,
)
from actorline.gateway.ordered import hide_conflict, respond, wait_for_end
from actorline.gateway.problems import name_order
from actorline.gateway.routes.events import EVENTS, LastEventId, follow
from actorline.gateway.routes.jobs import DryRun, check_account
from actorline.gateway.routes.rows import ITEMS, MOST, respond_rows
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.job_key import fresh_key
from actorline.jobs.job_result import JobResult
from actorline.jobs.member_key import member_key
from actorline.jobs.rights import Scope
from actorline.orders.estimate import Estimate

router = APIRouter(prefix="/v1/batches", tags=["batches"])

MEMBERS_A_BLOCK: Final = 100
MEMBERS_SEEN_MAX: Final = 5_000  # a list looks at no more, however few are in the state that is asked for


class MemberList(BaseModel):
    """Members made so far, in the order of their inputs. A list may hold fewer than `limit`, even none, although
    `next_cursor` has more.
    """

    members: list[JobResult]
    next_cursor: str | None = Field(description="Cursor of the rest of the list; null: this was all")


@router.post(
    "",
    status_code=202,
    summary="Order a batch",
    openapi_extra=dict(BATCH_BODY),
    responses={
        **batch_result(202, "A new batch, stored on Redis's disk", Location="The batch's URL"),
        **batch_result(
            200,
            "The existing batch: the same order was sent before; or, of a dry run, what the order would come to",
            Estimate,
            Location="The batch's URL",
        ),
        **problems(401, 403, 408, 409, 413, 415, 422, 429, 500, 503),
    },
)
async def order(
    request: Request, authorized: MayOrder, idempotency_key: IdempotencyKey = None, dry_run: DryRun = False
) -> Response:
    """Order a batch. The same document under the same key joins the existing batch, so an order is safe to repeat."""
    bodies = authorized.context.bodies
    async with bodies.read(request, authorized.grant.holder) as body, bodies.turn(body, is_costly=True):
        if dry_run:
            return await run_in_threadpool(_estimated, body, idempotency_key, authorized)
        try:
            taken, batch = await run_in_threadpool(_take, request, body, idempotency_key, authorized)
        except Refused as refused:
            note_change("order-refused", authorized.sender, code=refused.reason.code)
            raise
    note_change("order", authorized.sender, batch_key=taken.key, created=taken.created)
    authorized.context.wake_ups.start(taken.key)
    return respond(authorized, batch, 202 if taken.created else 200, Location=f"/v1/batches/{quote(taken.key)}")


def _estimated(body: bytearray, idempotency_key: str | None, authorized: AuthorizedRequest) -> Response:
    """Return what a batch would come to, as far as the API key may see it."""
    raw, context = with_key(parse_json(body), idempotency_key), authorized.context
    check_account(raw, authorized.grant)
    context.order_intake.admit_one(authorized.grant.holder)
    found = estimate_batch(
        raw, ledger=context.ledger, settings=context.settings, trusted=False, sender=authorized.sender
    )
    return Response(found.model_dump_json(), media_type="application/json")


def _take(
    request: Request, body: bytearray, idempotency_key: str | None, authorized: AuthorizedRequest
) -> tuple[SubmittedBatch, Batch]:
    raw = with_key(parse_json(body), idempotency_key)
    check_account(raw, authorized.grant)
    key = key_in(raw) or fresh_key()
    name_order(request, key)
    authorized.context.order_intake.admit_one(authorized.grant.holder)
    taken = _submitted(raw, key, authorized)
    return taken, authorized.find_batch(taken.key)


def _submitted(raw: Any, key: JobKey, authorized: AuthorizedRequest) -> SubmittedBatch:
    """Submit the order; a conflict says nothing of an order that the grant doesn't cover."""
    ledger = authorized.context.ledger
    try:
        return submit_batch(
            raw,
            ledger=ledger,
            settings=authorized.context.settings,
            trusted=False,
            sender=authorized.sender,
            fallback_key=key,
        )
    except Refused as refused:
        hide_conflict(refused, key, authorized)
        raise


@router.get(
    "/{key}",
    summary="Show a batch",
    responses={**batch_result(200, "The batch as far as it is known"), **problems(401, 403, 404, 422, 429, 500, 503)},
)
async def show(
    request: Request,
    key: KeyInPath,
    authorized: MayRead,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for the batch's end before responding")] = 0,
) -> Response:
    """Show the batch. It has ended if `state` is DELIVERED, PARTIAL, FAILED, CANCELLED or EXPIRED."""
    if not wait:
        return respond(authorized, await run_in_threadpool(authorized.find_batch, key), 200)
    with authorized.context.waits.held(authorized.grant.holder):
        return respond(authorized, await wait_for_end(request, key, authorized, authorized.find_batch, wait), 200)


@router.get("/{key}/members", summary="List a batch's members", responses=problems(401, 403, 404, 422, 500, 503))
def members(
    key: KeyInPath,
    authorized: MayRead,
    state: Annotated[
        tuple[AnyCaseState, ...], Query(description="Only members in this state; repeat it for more")
    ] = (),
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[int, Query(ge=0, le=MOST, description="`next_cursor` of the previous list")] = 0,
) -> MemberList:
    """List members, in the order of their inputs."""
    batch = authorized.find_batch(key)
    found: list[JobResult] = []
    end = min(batch.made, cursor + MEMBERS_SEEN_MAX)
    following = end
    for number, job in _members(authorized, batch.key, cursor, end):
        if job is None or (state and job.state not in state):
            continue
        if len(found) == limit:
            following = number
            break
        found.append(JobResult.of(job))
    return MemberList(members=found, next_cursor=str(following) if following < batch.made else None)


def _members(authorized: AuthorizedRequest, batch: JobKey, first: int, end: int) -> Iterator[tuple[int, Job | None]]:
    for start in range(first, end, MEMBERS_A_BLOCK):
        numbers = range(start, min(start + MEMBERS_A_BLOCK, end))
        keys = [member_key(batch, number) for number in numbers]
        yield from zip(numbers, authorized.context.ledger.load_many(keys), strict=True)


@router.get("/{key}/events", summary="Follow a batch", response_class=Response, responses=EVENTS)
async def events(
    request: Request,
    key: KeyInPath,
    authorized: MayRead,
    last_event_id: LastEventId = None,
) -> Response:
    """Stream the timeline of the batch; each member has a timeline of its own."""
    return await follow(request, key, last_event_id, authorized, find=authorized.find_batch, result=BatchResult.of)


@router.get("/{key}/items", summary="Read a batch's rows", response_class=Response, responses=ITEMS)
async def items(
    key: KeyInPath,
    authorized: MayRead,
    offset: Annotated[int, Query(ge=0, le=MOST, description="Rows to skip at the beginning")] = 0,
    limit: Annotated[int | None, Query(ge=1, le=MOST, description="Most rows to return")] = None,
    accept_encoding: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Return the members' rows in the order of the inputs, as JSON lines or csv; a range is always JSON lines."""
    batch = await run_in_threadpool(authorized.find_batch, key)
    delivery = await authorized.look(partial(_delivery, batch))
    format_ = batch.document.template.collect.format
    return await respond_rows(authorized, delivery, format_, offset, limit, accept_encoding)


def _delivery(batch: Batch) -> BatchDelivery:
    """Open the batch's delivery. Raises Refused if it has delivered nothing, and SinkError."""
    if batch.manifest is None:
        hint = "says why." if batch.is_terminal else "?wait=60 waits for its end."
        raise Refused(
            Code.CONFLICT,
            f"The batch {batch.key} is {batch.state} and has delivered nothing. GET /v1/batches/{batch.key} {hint}",
        )
    return open_batch(BatchResult.of(batch))


@router.post(
    "/{key}/cancel",
    status_code=202,
    summary="Stop a batch",
    responses={
        **batch_result(202, "It is being stopped, and the runs of its members aborted"),
        **batch_result(200, "It had already ended; nothing was stopped"),
        **problems(401, 403, 404, 422, 500, 503),
    },
)
def cancel(key: KeyInPath, authorized: MayCancel, idempotency_key: RequestKey = None) -> Response:
    """Cancel the batch: no member is started any more, and those that run are aborted. Safe to repeat."""
    authorized.find_own_batch(key, unless=Scope.CANCEL_ANY)
    asked = cancel_batch(authorized.context.ledger, key, sender=authorized.sender, request=idempotency_key)
    note_change("cancel", authorized.sender, batch_key=key, is_live=asked)
    if asked:
        authorized.context.wake_ups.start(key)
    return respond(authorized, authorized.find_batch(key), 202 if asked else 200)


@router.post(
    "/{key}/retry",
    status_code=202,
    summary="Retry an ended batch",
    responses={
        **batch_result(202, "It continues", Location="The batch's URL"),
        **problems(401, 403, 404, 409, 422, 429, 500, 503),
    },
)
def retry(key: KeyInPath, authorized: MayOrder, idempotency_key: RequestKey = None) -> Response:
    """Run what isn't delivered again. Safe to repeat with an Idempotency-Key."""
    authorized.find_own_batch(key, unless=Scope.RETRY_ANY)
    authorized.context.order_intake.admit_one(authorized.grant.holder)
    retry_batch(authorized.context.ledger, key, sender=authorized.sender, request=idempotency_key)
    note_change("retry", authorized.sender, batch_key=key)
    authorized.context.wake_ups.start(key)
    return respond(authorized, authorized.find_batch(key), 202, Location=f"/v1/batches/{quote(key)}")

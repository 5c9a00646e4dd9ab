"""`/v1/jobs`: order, show, list, cancel, retry."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.errors import Code, Refused
from actorline.gateway.auditing import note_change
from actorline.gateway.authentication import Grant
from actorline.gateway.context import AuthorizedRequest, MayCancel, MayOrder, MayRead
from actorline.gateway.intake.body import LARGE_BYTES, key_in, parse_json, with_key
from actorline.gateway.intake.orders import StoredOrder
from actorline.gateway.labels import parse_labels
from actorline.gateway.openapi import (
    DOCUMENT_BODY,
    AnyCaseState,
    IdempotencyKey,
    KeyInPath,
    RequestKey,
    problems,
    result,
)
from actorline.gateway.ordered import hide_conflict, respond, wait_for_end
from actorline.gateway.problems import name_order
from actorline.identifiers import AccountName
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job_key import fresh_key
from actorline.jobs.job_result import JobResult
from actorline.jobs.rights import Scope
from actorline.jobs.states import State
from actorline.ledger.queries.listing import CURSOR_PATTERN, Cursor, list_jobs
from actorline.orders.cancel import cancel_job
from actorline.orders.estimate import Estimate, estimate
from actorline.orders.retry import retry_job
from actorline.orders.submit import Submission

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


DryRun = Annotated[bool, Query(description="Only say what the order would come to (200); nothing is started")]
Label = Annotated[str, Field(json_schema_extra={"pattern": "^[^=:]+[=:]"})]


class JobList(BaseModel):
    """Jobs, newest first. A list may hold fewer than `limit`, even none, although `next_cursor` has more."""

    jobs: list[JobResult]
    next_cursor: str | None = Field(description="Cursor of the rest of the list; null: this was all")


@router.post(
    "",
    status_code=202,
    summary="Order a job",
    openapi_extra=dict(DOCUMENT_BODY),
    responses={
        **result(202, "A new job, stored on Redis's disk", Location="The job's URL"),
        **result(
            200,
            "The existing job: the same order was sent before; or, of a dry run, what the order would come to",
            Estimate,
            Location="The job's URL",
        ),
        **problems(401, 403, 408, 409, 413, 415, 422, 429, 500, 503),
    },
)
async def order(
    request: Request,
    authorized: MayOrder,
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,
) -> Response:
    """Order a job. The same document under the same key joins the existing job, so an order is safe to repeat. An order
    without a key gets one; a refusal that asks to send it again names it (`key`): send it as Idempotency-Key.
    """
    bodies = authorized.context.bodies
    async with bodies.read(request, authorized.grant.holder) as body, bodies.turn(body, is_costly=dry_run):
        if dry_run:
            return await _estimated(body, idempotency_key, authorized)
        try:
            taken = await take_order(request, body, idempotency_key, authorized)
        except Refused as refused:
            note_change("order-refused", authorized.sender, code=refused.reason.code)
            raise
    note_change("order", authorized.sender, job_key=taken.job.key, created=taken.created)
    return respond(authorized, taken.job, 202 if taken.created else 200, Location=f"/v1/jobs/{quote(taken.job.key)}")


async def _estimated(body: bytearray, idempotency_key: str | None, authorized: AuthorizedRequest) -> Response:
    """Return what an order would come to, as far as the API key may see it."""
    raw, context = await _parsed(body, idempotency_key), authorized.context
    check_account(raw, authorized.grant)
    await run_in_threadpool(context.order_intake.admit_one, authorized.grant.holder)
    found = await run_in_threadpool(
        estimate, raw, ledger=context.ledger, settings=context.settings, trusted=False, sender=authorized.sender
    )
    return Response(found.model_dump_json(), media_type="application/json")


async def take_order(
    request: Request, body: bytearray, idempotency_key: str | None, authorized: AuthorizedRequest
) -> StoredOrder:
    """Check an order and store it. The parsed document is freed on return, before the next large order is read."""
    raw = await _parsed(body, idempotency_key)
    check_account(raw, authorized.grant)
    key = key_in(raw) or fresh_key()
    name_order(request, key)
    document = raw if len(body) < LARGE_BYTES else await run_in_threadpool(parse_document, raw)
    try:
        return await authorized.context.order_intake.take(Submission(document, key, authorized.sender), len(body))
    except Refused as refused:
        await run_in_threadpool(hide_conflict, refused, key, authorized)
        raise


async def _parsed(body: bytearray, idempotency_key: str | None) -> Any:
    """Parse the body; a large one in a thread, as that may take a second."""
    parsed = parse_json(body) if len(body) < LARGE_BYTES else await run_in_threadpool(parse_json, body)
    return with_key(parsed, idempotency_key)


def check_account(raw: Any, grant: Grant) -> None:
    """Refuse an account that the grant doesn't cover; an invalid one is left to the check of the document."""
    account = raw.get("account", "default") if isinstance(raw, dict) else None
    if isinstance(account, str) and not grant.sees(AccountName(account)):
        raise Refused(Code.FORBIDDEN, f"The API key does not cover the account {account[:64]!r}. Nothing was started.")


@router.get("", summary="List jobs", responses=problems(401, 403, 422, 500, 503))
def jobs(
    authorized: MayRead,
    state: Annotated[tuple[AnyCaseState, ...], Query(description="Only jobs in this state; repeat it for more")] = (),
    label: Annotated[tuple[Label, ...], Query(description="Only jobs with this name:value; repeat it for more")] = (),
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[
        str | None,
        Query(description="`next_cursor` of the previous list", json_schema_extra={"pattern": CURSOR_PATTERN}),
    ] = None,
) -> JobList:
    """List jobs, newest first. New jobs don't shift the entries that follow a cursor."""
    page = list_jobs(
        authorized.context.ledger,
        limit=limit,
        after=Cursor.parse(cursor) if cursor is not None else None,
        states=state or list(State),
        labels=parse_labels(label),
        accounts=authorized.grant.rights.accounts,
        is_indexed=authorized.context.index.is_complete,
    )
    return JobList(jobs=[JobResult.of(job) for job in page.jobs], next_cursor=str(page.next) if page.next else None)


@router.get(
    "/{key}",
    summary="Show a job",
    responses={**result(200, "The job as far as it is known"), **problems(401, 403, 404, 422, 429, 500, 503)},
)
async def show(
    request: Request,
    key: KeyInPath,
    authorized: MayRead,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for the job's end before responding")] = 0,
) -> Response:
    """Show the job. It has ended if `state` is DELIVERED, PARTIAL, FAILED, CANCELLED or EXPIRED. A job that hasn't
    ended after `wait` is no error: ask again.
    """
    if not wait:
        return respond(authorized, await run_in_threadpool(authorized.find_job, key), 200)
    with authorized.context.waits.held(authorized.grant.holder):
        return respond(authorized, await wait_for_end(request, key, authorized, authorized.find_job, wait), 200)


@router.post(
    "/{key}/cancel",
    status_code=202,
    summary="Stop a job",
    responses={
        **result(202, "It is being stopped, and its run aborted"),
        **result(200, "It had already ended; nothing was stopped"),
        **problems(401, 403, 404, 422, 500, 503),
    },
)
def cancel(key: KeyInPath, authorized: MayCancel, idempotency_key: RequestKey = None) -> Response:
    """Cancel the job. Safe to repeat. The job has ended when its `state` says so."""
    authorized.find_own(key, unless=Scope.CANCEL_ANY)
    asked = cancel_job(authorized.context.ledger, key, sender=authorized.sender, request=idempotency_key)
    note_change("cancel", authorized.sender, job_key=key, is_live=asked)
    if asked:
        authorized.context.wake_ups.start(key)
    return respond(authorized, authorized.find_job(key), 202 if asked else 200)


@router.post(
    "/{key}/retry",
    status_code=202,
    summary="Retry an ended job",
    responses={
        **result(202, "It continues", Location="The job's URL"),
        **problems(401, 403, 404, 409, 422, 429, 500, 503),
    },
)
def retry(key: KeyInPath, authorized: MayOrder, idempotency_key: RequestKey = None) -> Response:
    """Retry from the cheapest stage: only the missing rows if possible, otherwise another paid run. Safe to repeat with
    an Idempotency-Key: the same one retries once, whatever has happened to the job since.
    """
    authorized.find_own(key, unless=Scope.RETRY_ANY)
    authorized.context.order_intake.admit_one(authorized.grant.holder)
    retry_job(authorized.context.ledger, key, sender=authorized.sender, request=idempotency_key)
    note_change("retry", authorized.sender, job_key=key)
    authorized.context.wake_ups.start(key)
    return respond(authorized, authorized.find_job(key), 202, Location=f"/v1/jobs/{quote(key)}")

"""`/v1/jobs`: order, look, list, cancel, retry."""

import time
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.errors import Code, Refused
from actorline.gateway.auditing import note_change
from actorline.gateway.authentication import Grant
from actorline.gateway.body import LARGE_BYTES, key_in, parse_json, with_key
from actorline.gateway.context import AuthorizedRequest, MayCancel, MayOrder, MayRead
from actorline.gateway.openapi import DOCUMENT_BODY, IdempotencyKey, JobKey, RequestKey, problems, result
from actorline.gateway.order_intake import Taken
from actorline.gateway.problems import name_order
from actorline.jobs.document import fresh_key, parse_document
from actorline.jobs.job import Glimpse, Job, JobResult
from actorline.jobs.rights import Scope
from actorline.jobs.states import State
from actorline.ledger.listing import CURSOR_PATTERN, Cursor, list_jobs
from actorline.orders.cancel import cancel_job
from actorline.orders.retry import retry_job
from actorline.orders.submit import Submission

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

LOOK_AGAIN_SECS: Final = 5.0  # a change that tells the timeline nothing is seen by then

Label = Annotated[str, Field(json_schema_extra={"pattern": "^[^:]+:"})]


class JobList(BaseModel):
    """Jobs, the newest first. A page may hold fewer than asked for, also none, while `next_cursor` leads on."""

    jobs: list[JobResult]
    next_cursor: str | None = Field(description="Where the list goes on; null: that was all")


@router.post(
    "",
    status_code=202,
    summary="Order a job",
    openapi_extra=dict(DOCUMENT_BODY),
    responses={
        **result(202, "A new job, on Redis's disk", Location="Where it is seen"),
        **result(200, "The job that exists: the same order came before", Location="Where it is seen"),
        **problems(401, 403, 408, 409, 413, 415, 422, 429, 500, 503),
    },
)
async def order(request: Request, authorized: MayOrder, idempotency_key: IdempotencyKey = None) -> Response:
    """The same document under the same key joins the job that exists: send an order again without fear. An order
    without a key gets one; a refusal that asks for the order again names it (`key`), to be sent as Idempotency-Key.
    """
    bodies = authorized.context.bodies
    async with bodies.read(request, authorized.grant.holder) as body, bodies.turn(body):
        try:
            taken = await _take(request, body, idempotency_key, authorized)
        except Refused as refused:
            note_change("order-refused", authorized.sender, code=refused.reason.code)
            raise
    note_change("order", authorized.sender, job_key=taken.job.key, created=taken.created)
    return _shown(authorized, taken.job, 202 if taken.created else 200, Location=f"/v1/jobs/{quote(taken.job.key)}")


async def _take(request: Request, body: bytearray, idempotency_key: str | None, authorized: AuthorizedRequest) -> Taken:
    """Check an order and have it taken. What was parsed is gone on return, so that the next large order may come."""
    raw = await _parsed(body, idempotency_key)
    _check_account(raw, authorized.grant)
    key = key_in(raw) or fresh_key()
    name_order(request, key)
    document = raw if len(body) < LARGE_BYTES else await run_in_threadpool(parse_document, raw)
    try:
        return await authorized.context.order_intake.take(Submission(document, key, authorized.sender), len(body))
    except Refused as refused:
        if refused.reason.code is Code.CONFLICT:
            await _check_conflict(raw["key"], authorized)
        raise


async def _parsed(body: bytearray, idempotency_key: str | None) -> Any:
    """A large body is parsed in a thread, and checked there as well: that may take a second."""
    parsed = parse_json(body) if len(body) < LARGE_BYTES else await run_in_threadpool(parse_json, body)
    return with_key(parsed, idempotency_key)


async def _check_conflict(key: str, authorized: AuthorizedRequest) -> None:
    """Raises a Refused that tells nothing of a job that the grant doesn't cover."""
    account = await run_in_threadpool(authorized.context.ledger.account, key)
    if account is not None and not authorized.grant.sees(account):
        raise Refused(Code.CONFLICT, "The key is taken. Nothing was changed. Take a new key.")


def _check_account(raw: Any, grant: Grant) -> None:
    """Raises Refused. What is no account at all is left to the document's own check."""
    account = raw.get("account", "default") if isinstance(raw, dict) else None
    if isinstance(account, str) and not grant.sees(account):
        message = f"The API key does not cover the account {account[:64]!r}. Nothing was started."
        raise Refused(Code.FORBIDDEN, message)


@router.get("", summary="List jobs", responses=problems(401, 403, 422, 500, 503))
def jobs(
    authorized: MayRead,
    state: Annotated[list[State], Query(description="Only jobs in this state; repeat it for more")] = [],  # noqa: B006
    label: Annotated[list[Label], Query(description="Only jobs with this name:value; repeat it for more")] = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[
        str | None,
        Query(description="`next_cursor` of the page before", json_schema_extra={"pattern": CURSOR_PATTERN}),
    ] = None,
) -> JobList:
    """The newest first. New jobs don't move what a cursor has still to come."""
    page = list_jobs(
        authorized.context.ledger,
        limit=limit,
        after=Cursor.parse(cursor) if cursor is not None else None,
        states=state or list(State),
        labels=_labels(label),
        accounts=authorized.grant.rights.accounts,
        is_indexed=authorized.context.index.is_complete,
    )
    return JobList(
        jobs=[JobResult.of(job) for job in page.jobs], next_cursor=str(page.next) if page.next else None
    )  # fmt: skip


def _labels(labels: list[str]) -> dict[str, str]:
    pairs = [label.partition(":") for label in labels]
    if not all(name and colon for name, colon, _ in pairs):
        raise Refused(Code.REQUEST_INVALID, "A label is written name:value.")
    return {name: value for name, _, value in pairs}


@router.get(
    "/{key}",
    summary="Look at a job",
    responses={**result(200, "The job as far as it is known"), **problems(401, 403, 404, 422, 429, 500, 503)},
)
async def show(
    request: Request,
    key: JobKey,
    authorized: MayRead,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for the job's end; the answer comes at the end, or then")
    ] = 0,
) -> Response:
    """`state` says whether the job has ended: DELIVERED, PARTIAL, FAILED, CANCELLED or EXPIRED. A job that hasn't ended
    after `wait` is no error: ask again.
    """
    if not wait:
        return _shown(authorized, await run_in_threadpool(authorized.find_job, key), 200)
    with authorized.context.waits.held(authorized.grant.holder):
        return _shown(authorized, await _waited(request, key, authorized, wait), 200)


async def _waited(request: Request, key: str, authorized: AuthorizedRequest, wait: float) -> Job:
    """The job at its end, or as it is after `wait` seconds."""
    timelines, deadline = authorized.context.timelines, time.monotonic() + wait
    while True:
        job, latest = await run_in_threadpool(_look, authorized, key)
        left = deadline - time.monotonic()
        if job.is_terminal or left <= 0 or timelines.is_stopping() or await request.is_disconnected():
            return job
        await timelines.grown(key, latest, min(left, LOOK_AGAIN_SECS))


def _look(authorized: AuthorizedRequest, key: str) -> tuple[Job, str]:
    """The job, and the id of the latest entry of its timeline, which is not newer."""
    latest = authorized.context.ledger.timeline.latest_id(key)
    return authorized.find_job(key), latest


@router.post(
    "/{key}/cancel",
    status_code=202,
    summary="Stop a job",
    responses={
        **result(202, "It is being stopped, and its run aborted"),
        **result(200, "It had ended already; nothing was stopped"),
        **problems(401, 403, 404, 422, 500, 503),
    },
)
def cancel(key: JobKey, authorized: MayCancel, idempotency_key: RequestKey = None) -> Response:
    """Safe to repeat. The job has ended when its `state` says so."""
    authorized.find_own(key, unless=Scope.CANCEL_ANY)
    asked = cancel_job(authorized.context.ledger, key, sender=authorized.sender, request=idempotency_key)
    note_change("cancel", authorized.sender, job_key=key, is_live=asked)
    if asked:
        authorized.context.starter.start(key)
    return _shown(authorized, authorized.find_job(key), 202 if asked else 200)


@router.post(
    "/{key}/retry",
    status_code=202,
    summary="Try an ended job again",
    responses={
        **result(202, "It goes on", Location="Where it is seen"),
        **problems(401, 403, 404, 409, 422, 500, 503),
    },
)
def retry(key: JobKey, authorized: MayOrder, idempotency_key: RequestKey = None) -> Response:
    """From the cheapest point: only the rows that are missing, else another paid run. With an Idempotency-Key it is
    safe to repeat: the same one retries once, however the job has fared since.
    """
    authorized.find_own(key, unless=Scope.RETRY_ANY)
    retry_job(authorized.context.ledger, key, sender=authorized.sender, request=idempotency_key)
    note_change("retry", authorized.sender, job_key=key)
    authorized.context.starter.start(key)
    return _shown(authorized, authorized.find_job(key), 202, Location=f"/v1/jobs/{quote(key)}")


def _shown(authorized: AuthorizedRequest, job: Job, status: int, **headers: str) -> Response:
    """Who may not read learns the job's key and state, and nothing of its result."""
    shown = JobResult.of(job) if authorized.has(Scope.READ) else Glimpse(key=job.key, state=job.state)
    return Response(shown.model_dump_json(), status, headers, "application/json")

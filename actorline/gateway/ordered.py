"""What the routes of jobs and of batches do alike: they wait for an end, show it, and keep others' keys secret."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.batches.batch import Batch, BatchResult
from actorline.errors import Code, Refused
from actorline.gateway.context import AuthorizedRequest
from actorline.identifiers import AccountName, JobKey
from actorline.jobs.job import Job
from actorline.jobs.job_result import Glimpse, JobResult
from actorline.jobs.member_key import batch_key_of
from actorline.jobs.rights import Scope
from actorline.ledger.ledger import Ledger

CHANGE_SECS: Final = 5.0  # a change without a timeline entry is seen by then
Ordered = TypeVar("Ordered", Job, Batch)


async def wait_for_end(
    request: Request,
    key: JobKey,
    authorized: AuthorizedRequest,
    find: Callable[[JobKey], Ordered],
    wait_s: float,
) -> Ordered:
    """Return what has the key at its end, or as it is after `wait_s`. Raises Refused if the API key is revoked."""

    def look() -> tuple[Ordered, str]:
        """Return the latest entry of the timeline with it, read before it."""
        latest = authorized.context.ledger.timeline.latest_id(key)
        return find(key), latest

    timelines, deadline = authorized.context.timelines, time.monotonic() + wait_s
    while True:
        found, latest = await run_in_threadpool(look)
        left = deadline - time.monotonic()
        if found.is_terminal or left <= 0 or timelines.is_stopping() or await request.is_disconnected():
            return found
        await timelines.grown(key, latest, min(left, CHANGE_SECS))
        await authorized.admit_again(request)


def respond(authorized: AuthorizedRequest, found: Job | Batch, status: int, **headers: str) -> Response:
    """Respond with the result; without the scope `read` only with its key and state."""
    if authorized.has(Scope.READ):
        shown = JobResult.of(found) if isinstance(found, Job) else BatchResult.of(found)
        return Response(shown.model_dump_json(), status, headers, "application/json")
    glimpse = Glimpse(key=found.key, state=found.state)
    return Response(glimpse.model_dump_json(), status, headers, "application/json")


def hide_conflict(refused: Refused, key: JobKey, authorized: AuthorizedRequest) -> None:
    """Raise another Refused, without a word of what has the key, for a conflict with what the grant doesn't cover."""
    if refused.reason.code is not Code.CONFLICT:
        return
    account = _account_of(authorized.context.ledger, key)
    if account is not None and not authorized.grant.sees(account):
        raise Refused(Code.CONFLICT, "The key is already in use. Nothing was changed. Use a new key.")


def _account_of(ledger: Ledger, key: JobKey) -> AccountName | None:
    """Return the account of the job or batch that has the key, or of the batch whose member would have it."""
    return ledger.account(key) or ledger.batches.account(key) or ledger.batches.account(batch_key_of(key))

"""`/jobs/{key}/again`: the document of a job, to be changed and ordered under a new key."""

import json
from itertools import count
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.errors import Code, Refused
from actorline.gateway.auditing import note_change
from actorline.gateway.pages.jobs.job_view import may_order_again
from actorline.gateway.pages.rendering import PageRoute, page, see_other
from actorline.gateway.pages.visit import PostedForm, Visit, Visitor
from actorline.gateway.routes.jobs import take_order
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.ledger.ledger import Ledger

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/jobs/{key}/again")

Key = Annotated[JobKey, Path()]
INPUT_SHOWN_BYTES = 400_000
BAD_REQUEST = 422


@router.get("")
def ask(key: Key, visitor: Visitor) -> Response:
    """Show the document under a new key."""
    text = json.dumps(_document(visitor, _orderable(visitor, key)), indent=2, ensure_ascii=False)
    return page("again.html", visitor, key=key, text=text, refusal="")


@router.post("")
async def order(request: Request, key: Key, posted: PostedForm) -> Response:
    """Order the changed document; one that is refused is shown again, with why."""
    visit, text = posted.visit, posted.form.first("document")
    await run_in_threadpool(_orderable, visit, key)
    body, bodies = bytearray(text.encode()), visit.context.bodies
    try:
        with bodies.held(body, visit.grant.holder):
            async with bodies.turn(body):
                taken = await take_order(request, body, None, visit)
    except Refused as refused:
        return page("again.html", visit, BAD_REQUEST, key=key, text=text, refusal=refused.reason.message)
    note_change("order", visit.sender, job_key=taken.job.key, created=taken.created)
    return see_other(f"/jobs/{quote(taken.job.key)}")


def _orderable(visit: Visit, key: JobKey) -> Job:
    job = visit.find_job(key)
    if not may_order_again(visit, job):
        raise Refused(
            Code.FORBIDDEN,
            f"Only the API key that ordered {key}, or one that may do everything, can order it again from a page.",
        )
    return job


def _document(visit: Visit, job: Job) -> dict[str, Any]:
    ledger = visit.context.ledger
    raw = ledger.load_input(JobKey(job.key))
    if len(raw) > INPUT_SHOWN_BYTES:
        raise Refused(
            Code.REQUEST_INVALID,
            f"The input of {job.key} has {len(raw):,} bytes: too many for a page. Order it over HTTP.",
        )
    shown: dict[str, Any] = {"key": _new_key(ledger, job.key)}
    shown |= job.document.model_dump(mode="json", exclude_defaults=True, exclude={"key", "input"})
    if job.document.starts_run and job.document.input_url is None:
        shown["input"] = json.loads(raw)
    return shown


def _new_key(ledger: Ledger, key: str) -> str:
    """Return `nightly-2`, or the first such key that no job has."""
    stem = key[:190]
    return next(each for number in count(2) if ledger.account(JobKey(each := f"{stem}-{number}")) is None)

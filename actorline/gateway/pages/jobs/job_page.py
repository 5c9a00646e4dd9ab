"""`/jobs/{key}`: one job, its life and what can be done about it."""

from secrets import token_hex
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.errors import Code, Refused
from actorline.gateway.pages.jobs.job_changes import change_job, may_cancel, may_retry
from actorline.gateway.pages.jobs.job_view import view_job
from actorline.gateway.pages.live import stream_of
from actorline.gateway.pages.rendering import PageRoute, page, see_other
from actorline.gateway.pages.visit import PostedForm, Visit, Visitor
from actorline.identifiers import JobKey
from actorline.orders.retry import plan_retry

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/jobs/{key}")

Key = Annotated[JobKey, Path()]


@router.get("")
def job(key: Key, visitor: Visitor) -> Response:
    """Show the job's life; the key of a batch leads to its page."""
    if visitor.context.ledger.batches.exists(key):
        return see_other(f"/batches/{quote(key)}")
    return page("job.html", visitor, view=view_job(visitor, key))


@router.get("/live")
async def live(request: Request, key: Key, visitor: Visitor) -> Response:
    """Tell the job's page of each change, until the job has ended and its cost is final."""
    await run_in_threadpool(visitor.find_job, key)
    return stream_of(request, visitor, lambda: _state(visitor, key))


def _state(visitor: Visit, key: JobKey) -> object:
    """Return what differs as soon as the page would; None when nothing changes any more."""
    try:
        job, latest = visitor.find_job(key), visitor.context.ledger.timeline.latest_id(key)
    except Refused:  # it was purged
        return None
    is_over = job.is_terminal and not job.awaits_figures
    return None if is_over else (latest, job.run, job.collection, job.stop_wish)


@router.get("/cancel")
def ask_to_cancel(key: Key, visitor: Visitor) -> Response:
    """Say what a cancel does, before it is done."""
    found = may_cancel(visitor, key)
    if found.is_terminal:
        raise Refused(Code.CONFLICT, f"The job {key} has already ended: there is nothing to cancel.")
    return page("confirm.html", visitor, job=found, action="cancel", plan=None, request_id="")


@router.post("/cancel")
def cancel(key: Key, posted: PostedForm) -> Response:
    """Cancel the job. Safe to repeat."""
    visit = posted.visit
    may_cancel(visit, key)
    change_job(visit, key, "cancel")
    return see_other(f"/jobs/{quote(key)}")


@router.get("/retry")
def ask_to_retry(key: Key, visitor: Visitor) -> Response:
    """Say what a retry does and costs, before it is done."""
    found = may_retry(visitor, key)
    return page("confirm.html", visitor, job=found, action="retry", plan=plan_retry(found), request_id=token_hex(16))


@router.post("/retry")
def retry(key: Key, posted: PostedForm) -> Response:
    """Retry the job, once for each confirmation. Raises Refused if it costs more than its confirmation said."""
    visit, form = posted.visit, posted.form
    found, request = may_retry(visit, key), form.first("request")
    if found.is_terminal and plan_retry(found).pays and form.first("pays") != "yes":
        raise Refused(
            Code.CONFLICT,
            f"A retry of {key} would start another paid run, which wasn't said before. Nothing was started.",
        )
    change_job(visit, key, "retry", request=request or None)
    return see_other(f"/jobs/{quote(key)}")

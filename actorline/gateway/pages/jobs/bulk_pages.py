"""`/bulk`: cancel or retry jobs that were selected in the list, or all that fit its filter."""

from secrets import token_hex
from typing import cast
from urllib.parse import parse_qs

from fastapi import APIRouter
from starlette.responses import Response

from actorline.errors import Code, Refused
from actorline.gateway.pages.forms import Form
from actorline.gateway.pages.jobs.bulk import MOST_JOBS, carry_out, keys_that_match, plan_bulk
from actorline.gateway.pages.jobs.job_changes import Action
from actorline.gateway.pages.jobs.job_filter import JobFilter
from actorline.gateway.pages.rendering import PageRoute, page
from actorline.gateway.pages.visit import PostedForm, Visit
from actorline.identifiers import JobKey

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/bulk")


@router.post("")
def ask(posted: PostedForm) -> Response:
    """Say what the action does and costs, before it is done."""
    visit, form = posted.visit, posted.form
    wanted, action = JobFilter.parse(parse_qs(form.first("filter"))), _action(form)
    keys = _keys(visit, form, wanted)
    if not keys:
        raise Refused(Code.REQUEST_INVALID, "No job is selected. Nothing was changed.")
    return page(
        "bulk.html",
        visit,
        action=action,
        plan=plan_bulk(visit, action, keys[:MOST_JOBS]),
        has_more=len(keys) > MOST_JOBS,
        most=MOST_JOBS,
        back=wanted.url(),
        request_id=token_hex(16),
    )


@router.post("/confirmed")
def change(posted: PostedForm) -> Response:
    """Do what was confirmed, each job once for each confirmation."""
    visit, form = posted.visit, posted.form
    action = _action(form)
    free, paid = ([JobKey(key) for key in form.get(name, [])[:MOST_JOBS]] for name in ("free", "paid"))
    changed, left_out = carry_out(visit, action, free, paid, form.first("request"))
    return page("bulk_done.html", visit, action=action, changed=changed, left_out=left_out, back=_own_list(form))


def _keys(visit: Visit, form: Form, wanted: JobFilter) -> list[JobKey]:
    """Return the jobs that are meant. `all`: every job that fits the list's filter."""
    return keys_that_match(visit, wanted) if form.first("all") else [JobKey(key) for key in form.get("key", [])]


def _own_list(form: Form) -> str:
    back = form.first("back")
    return back if back.startswith("/?") else "/"


def _action(form: Form) -> Action:
    action = form.first("action")
    if action not in {"cancel", "retry"}:
        raise Refused(Code.REQUEST_INVALID, "The action must be cancel or retry. Nothing was changed.")
    return cast("Action", action)

"""`/jobs/{key}/document` and `/log`: what was ordered, and the end of the run's log."""

import json
from contextlib import closing
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.gateway.pages.jobs.job_view import may_see_input, view_job
from actorline.gateway.pages.presentation.masking import masked_document
from actorline.gateway.pages.rendering import PageRoute, page
from actorline.gateway.pages.visit import Visit, Visitor
from actorline.identifiers import JobKey
from actorline.jobs.document.secret import hide_secrets
from actorline.jobs.job import Job
from actorline.platform.client import Platform
from actorline.platform.errors import PlatformError
from actorline.platform.runs import get_log_tail

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/jobs/{key}")

Key = Annotated[JobKey, Path()]
LOG_LINES: Final = 100
INPUT_SHOWN_BYTES: Final = 100_000


@router.get("/document")
def document(key: Key, visitor: Visitor) -> Response:
    """Show the job's document, its secrets masked; the input only to who may see it."""
    view = view_job(visitor, key)
    raw = visitor.context.ledger.load_input(key) if may_see_input(visitor, view.job) else None
    is_shown = raw is not None and len(raw) <= INPUT_SHOWN_BYTES
    shown = masked_document(view.job, json.loads(raw) if raw and is_shown else None, with_input=is_shown)
    text = hide_secrets(json.dumps(shown, indent=2, ensure_ascii=False), visitor.context.settings)
    note = "" if is_shown else _why_hidden(raw)
    return page("document.html", visitor, view=view, text=text, note=note)


@router.get("/log")
async def log(key: Key, visitor: Visitor) -> Response:
    """Show the end of the run's log."""
    view = await run_in_threadpool(view_job, visitor, key)
    lines, fault = await visitor.look(partial(_log_of, visitor, view.job))
    return page("log.html", visitor, view=view, lines=lines, fault=fault, most=LOG_LINES)


def _why_hidden(raw: bytes | None) -> str:
    if raw is None:
        return "Its input is shown to the API key that ordered it, and to one that may do everything."
    return f"Its input has {len(raw):,} bytes, too many to be shown here."


def _log_of(visit: Visit, job: Job) -> tuple[list[str], str]:
    """Return the log's last lines, from the platform if it can be asked; else those of the ledger, and why."""
    kept = (job.run.log or "").splitlines()
    settings, token = visit.context.settings, visit.context.settings.tokens.get(job.document.account)
    if job.run.id is None:
        return [], "There is no run yet."
    if token is None:
        return kept, "This gateway has no token of the account: these are the lines that a failed run left."
    with closing(Platform(settings.api_url, token)) as platform:
        try:
            found = get_log_tail(platform, job.run.id, LOG_LINES)
        except PlatformError as error:
            return kept, f"The platform doesn't give the log: {error}"
    return [hide_secrets(line, settings) for line in found], ""

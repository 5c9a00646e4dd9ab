"""`/batches/{key}`: one batch, its members and what can be done about it."""

from collections.abc import Iterator
from functools import partial
from secrets import token_hex
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.batches.batch import BatchResult
from actorline.batches.retry import plan_of_batch
from actorline.delivery.sink import MANIFEST, open_sink
from actorline.errors import Code, Refused
from actorline.gateway.pages.batches.batch_changes import change_batch, may_cancel_batch, may_retry_batch
from actorline.gateway.pages.batches.batch_view import failed_members, list_members, view_batch
from actorline.gateway.pages.jobs.job_filter import parse_states
from actorline.gateway.pages.live import stream_of
from actorline.gateway.pages.rendering import PageRoute, page, see_other
from actorline.gateway.pages.visit import PostedForm, Visit, Visitor
from actorline.gateway.routes import batches, rows
from actorline.identifiers import JobKey

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/batches/{key}")

Key = Annotated[JobKey, Path()]
AcceptHeader = Annotated[str, Header()]
BLOCK_BYTES: Final = 262_144


@router.get("")
def batch(request: Request, key: Key, visitor: Visitor) -> Response:
    """Show how far the batch is, what failed, and its members."""
    states, cursor = parse_states(request.query_params.getlist("state")), request.query_params.get("cursor")
    view, ledger = view_batch(visitor, key), visitor.context.ledger
    return page(
        "batch.html",
        visitor,
        view=view,
        states=states,
        failed=[] if states or cursor else failed_members(ledger, view.batch),
        members=list_members(ledger, view.batch, states, cursor),
        is_first=not cursor,
    )


@router.get("/live")
async def live(request: Request, key: Key, visitor: Visitor) -> Response:
    """Tell the batch's page of each change, until the batch has ended."""
    await run_in_threadpool(visitor.find_batch, key)
    return stream_of(request, visitor, lambda: _state(visitor, key))


def _state(visitor: Visit, key: JobKey) -> object:
    """Return what differs as soon as the page would; None when nothing changes any more."""
    try:
        found = visitor.find_batch(key)
    except Refused:  # it was purged
        return None
    return None if found.is_terminal and not found.live else found


@router.get("/cancel")
def ask_to_cancel(key: Key, visitor: Visitor) -> Response:
    """Say what a cancel does, before it is done."""
    found = may_cancel_batch(visitor, key)
    if found.is_terminal:
        raise Refused(Code.CONFLICT, f"The batch {key} has already ended: there is nothing to cancel.")
    return page(
        "confirm_batch.html", visitor, batch=found, action="cancel", plan=None, most=None, request_id=token_hex(16)
    )


@router.post("/cancel")
def cancel(key: Key, posted: PostedForm) -> Response:
    """Cancel the batch, once for each confirmation."""
    may_cancel_batch(posted.visit, key)
    change_batch(posted.visit, key, "cancel", request=posted.form.first("request") or None)
    return see_other(f"/batches/{quote(key)}")


@router.get("/retry")
def ask_to_retry(key: Key, visitor: Visitor) -> Response:
    """Say what a retry does and may cost, before it is done."""
    found = may_retry_batch(visitor, key)
    each = found.document.template.options.max_total_charge_usd
    most = None if each is None or found.inputs is None else each * (found.inputs - found.delivered)
    return page(
        "confirm_batch.html",
        visitor,
        batch=found,
        action="retry",
        plan=plan_of_batch(found),
        most=most,
        request_id=token_hex(16),
    )


@router.post("/retry")
def retry(key: Key, posted: PostedForm) -> Response:
    """Retry the batch, once for each confirmation."""
    may_retry_batch(posted.visit, key)
    change_batch(posted.visit, key, "retry", request=posted.form.first("request") or None)
    return see_other(f"/batches/{quote(key)}")


@router.get("/items")
async def items(key: Key, visitor: Visitor, accept_encoding: AcceptHeader = "") -> Response:
    """Download all rows, in the order of the inputs."""
    found = await run_in_threadpool(visitor.find_batch, key)
    response = await batches.items(key, visitor, 0, None, accept_encoding)
    suffix = "csv" if found.document.template.collect.format == "csv" else "jsonl"
    return rows.as_file(response, f"{key}.{suffix}")


@router.get("/result")
def result(key: Key, visitor: Visitor) -> Response:
    """Download the result as every entrance returns it."""
    text = BatchResult.of(visitor.find_batch(key)).model_dump_json(indent=2)
    return rows.as_file(Response(text, media_type="application/json"), f"{key}.json")


@router.get("/manifest")
async def manifest(key: Key, visitor: Visitor) -> Response:
    """Download the manifest: each input and what became of it."""
    found = await run_in_threadpool(visitor.find_batch, key)
    if found.manifest is None:
        raise Refused(Code.CONFLICT, f"The batch {key} is {found.state} and has no manifest.")
    headers = {"Content-Type": "application/json", **rows.FOREIGN}
    response = await visitor.context.downloads.respond(visitor.grant.holder, partial(_blocks, found.sink), headers)
    return rows.as_file(response, f"{key}-{MANIFEST}")


def _blocks(sink: str) -> Iterator[bytes]:
    with open_sink(sink).open(MANIFEST) as file:
        yield from iter(partial(file.read, BLOCK_BYTES), b"")

"""`/jobs/{key}/rows`: what a job has delivered, to look at and to download."""

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Header, Path
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.delivery.manifest import ChangeKind
from actorline.errors import Code, Refused
from actorline.gateway.pages.jobs.delivery_view import PARTS_SHOWN, DeliveryView, is_image, view_delivery
from actorline.gateway.pages.jobs.job_view import JobView, view_job
from actorline.gateway.pages.rendering import PageRoute, page
from actorline.gateway.pages.visit import Visit, Visitor
from actorline.gateway.routes import rows
from actorline.identifiers import JobKey
from actorline.jobs.delivered import open_delivered

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/jobs/{key}")

Key = Annotated[JobKey, Path()]
AcceptHeader = Annotated[str, Header()]
MANIFEST_CHARS: Final = 50_000


@router.get("/rows")
async def delivery(key: Key, visitor: Visitor) -> Response:
    """Show the first rows, the files and the records."""
    view = await run_in_threadpool(view_job, visitor, key)
    shown = await visitor.look(partial(view_delivery, view.job))
    return await run_in_threadpool(_rows_page, visitor, view, shown)


def _rows_page(visitor: Visit, view: JobView, shown: DeliveryView) -> Response:
    return page(
        "rows.html",
        visitor,
        view=view,
        shown=shown,
        is_image=is_image,
        most_parts=PARTS_SHOWN,
        manifest_text=shown.manifest.model_dump_json(indent=2)[:MANIFEST_CHARS] if shown.manifest else "",
    )


@router.get("/items")
async def items(key: Key, visitor: Visitor, accept: AcceptHeader = "", accept_encoding: AcceptHeader = "") -> Response:
    """Download all rows."""
    response = await rows.items(key, visitor, 0, None, accept, accept_encoding)
    return rows.as_file(response, f"{key}.{_suffix(response)}")


@router.get("/changes/{kind}")
async def changes(key: Key, kind: ChangeKind, visitor: Visitor, accept_encoding: AcceptHeader = "") -> Response:
    """Download the rows that were added, removed or changed."""
    return rows.as_file(await rows.changes(key, kind, visitor, accept_encoding), f"{key}-{kind}.jsonl")


@router.get("/records/{name}")
async def record(key: Key, name: str, visitor: Visitor) -> Response:
    """Send a record; a browser shows it as a picture, or keeps it as a file."""
    return await rows.record(key, name, visitor)


@router.get("/parts/{name:path}")
async def part(key: Key, name: str, visitor: Visitor) -> Response:
    """Download one file of the rows, as it is stored."""
    job = await run_in_threadpool(visitor.find_job, key)
    found = await visitor.look(partial(open_delivered, job))
    one = next((each for each in found.manifest.parts if each.name == name), None)
    if one is None:
        raise Refused(Code.UNKNOWN_KEY, f"The job {key} has delivered no file {name[:100]!r}.")
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(one.bytes), **rows.FOREIGN}
    holder = visitor.grant.holder
    response = await visitor.context.downloads.respond(holder, lambda: found.stored_part(one), headers)
    return rows.as_file(response, f"{key}-{name.replace('/', '-')}")


def _suffix(response: Response) -> str:
    media_type = response.headers["Content-Type"]
    return next((name for name, each in rows.MEDIA_TYPES.items() if each == media_type), "gz")

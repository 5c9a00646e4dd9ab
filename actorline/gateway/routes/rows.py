"""`/v1/jobs/{key}/items`, `/changes/{kind}` and `/records/{name}`: the delivery, in blocks, from any sink."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, BinaryIO, Final, Protocol

from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response

from actorline.delivery.formats.gzip_members import BLOCK_BYTES
from actorline.delivery.manifest import ChangeKind, StoredRecord
from actorline.delivery.read_back import Delivery, UnreadableRows
from actorline.errors import Code, Refused
from actorline.gateway.context import AuthorizedRequest, MayRead
from actorline.gateway.openapi import KeyInPath, Responses, problems
from actorline.gateway.streams import gzipped
from actorline.identifiers import JobKey
from actorline.jobs.delivered import open_delivered

router = APIRouter(prefix="/v1/jobs", tags=["rows"])

NDJSON: Final = "application/x-ndjson"
GZIP_TYPE: Final = "application/gzip"
MEDIA_TYPES: Final[Mapping[str, str]] = {
    "jsonl": NDJSON,
    "json": NDJSON,
    "parquet": NDJSON,
    "csv": "text/csv; charset=utf-8",
    "xml": "application/xml",
    "html": "text/html; charset=utf-8",
    "rss": "application/rss+xml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""The media type of a delivery in each format."""
FOREIGN: Final = {"Content-Security-Policy": "sandbox", "Content-Disposition": "attachment"}
"""An Actor's output must not run as a web page of this origin."""
MOST: Final = 2**53  # integers in JSON are exact up to here

ITEMS: Final[Responses] = {
    200: {
        "description": "The rows. `Actorline-Complete: false`: the job ended before it had all rows.",
        "content": {
            **{media_type.partition(";")[0]: {"schema": {"type": "string"}} for media_type in MEDIA_TYPES.values()},
            GZIP_TYPE: {"schema": {"type": "string", "format": "binary"}},
        },
        "headers": {"Actorline-Complete": {"schema": {"type": "string", "enum": ["true", "false"]}}},
    },
    **problems(401, 403, 404, 409, 422, 429, 500, 502, 503),
}
RECORD: Final[Responses] = {
    200: {
        "description": "The record as it was stored on the platform",
        "content": {"*/*": {"schema": {}}},
    },
    **problems(401, 403, 404, 409, 422, 429, 500, 502, 503),
}


CHANGES: Final[Responses] = {
    200: {
        "description": "The rows; one that changed is `{key, fields, before, after}`",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    },
    **problems(401, 403, 404, 409, 422, 429, 500, 502, 503),
}


class Rows(Protocol):
    """The delivery of a job or a batch."""

    @property
    def is_complete(self) -> bool: ...
    def blocks(self) -> Iterator[bytes]: ...
    def range_blocks(self, offset: int, limit: int | None) -> Iterator[bytes]: ...


@router.get("/{key}/items", summary="Read the delivered rows", response_class=Response, responses=ITEMS)
async def items(
    key: KeyInPath,
    authorized: MayRead,
    offset: Annotated[int, Query(ge=0, le=MOST, description="Rows to skip at the beginning")] = 0,
    limit: Annotated[int | None, Query(ge=1, le=MOST, description="Most rows to return")] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    accept_encoding: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Return JSON lines where the format allows it, otherwise the text or file as delivered; a range (`offset`,
    `limit`) is always JSON lines. With `Accept: application/gzip` the parts are sent as stored, as one .gz file,
    which costs the server least. If the connection breaks before the response ends, rows are missing.
    """
    delivery = await authorized.look(partial(_delivery, authorized, key))
    is_range = offset > 0 or limit is not None
    if not is_range and delivery.manifest.compression == "gzip" and _is_named(GZIP_TYPE, accept):
        headers = {**_headers(GZIP_TYPE, delivery), "Content-Length": str(delivery.manifest.totals.bytes)}
        return await authorized.context.downloads.respond(authorized.grant.holder, delivery.stored_blocks, headers)
    return await respond_rows(authorized, delivery, delivery.manifest.format, offset, limit, accept_encoding)


async def respond_rows(
    authorized: AuthorizedRequest, delivery: Rows, format_: str, offset: int, limit: int | None, accept_encoding: str
) -> Response:
    """Respond with the rows of a job or batch, or with a range of them."""
    is_range = offset > 0 or limit is not None
    headers = _headers(NDJSON if is_range else MEDIA_TYPES[format_], delivery)
    open_blocks = partial(_range, delivery, offset, limit) if is_range else partial(_all, delivery)
    return await _respond(authorized, open_blocks, headers, accept_encoding)


async def _respond(
    authorized: AuthorizedRequest,
    open_blocks: Callable[[], Iterator[bytes]],
    headers: dict[str, str],
    accept_encoding: str,
) -> Response:
    downloads, holder = authorized.context.downloads, authorized.grant.holder
    if _is_named("gzip", accept_encoding):
        return await downloads.respond(holder, lambda: gzipped(open_blocks()), {**headers, "Content-Encoding": "gzip"})
    return await downloads.respond(holder, open_blocks, headers)


@router.get("/{key}/changes/{kind}", summary="Read what changed", response_class=Response, responses=CHANGES)
async def changes(
    key: KeyInPath,
    kind: Annotated[ChangeKind, Path(description="Which rows")],
    authorized: MayRead,
    accept_encoding: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Return the rows that were added, removed or changed since an earlier delivery (`delta`), as JSON lines. The
    job's `changes` counts them.
    """
    delivery = await authorized.look(partial(_delivery, authorized, key))
    return await _respond(
        authorized, partial(delivery.change_blocks, kind), _headers(NDJSON, delivery), accept_encoding
    )


def _headers(media_type: str, delivery: Rows) -> dict[str, str]:
    return {
        "Content-Type": media_type,
        "Actorline-Complete": "true" if delivery.is_complete else "false",
        "Vary": "Accept, Accept-Encoding",
        **FOREIGN,
    }


@router.get("/{key}/records/{name}", summary="Read a delivered record", response_class=Response, responses=RECORD)
async def record(
    key: KeyInPath,
    name: Annotated[str, Path(description="Its key in the run's key-value store", max_length=256)],
    authorized: MayRead,
) -> Response:
    """Return a record; `collect.records` of the document says which are delivered."""
    delivery, stored = await authorized.look(lambda: _with_record(_delivery(authorized, key), name))
    headers = _record_headers(stored) if stored else {}
    downloads, holder = authorized.context.downloads, authorized.grant.holder
    return await downloads.respond(holder, lambda: _blocks(delivery.open_record(name)), headers)


def _with_record(delivery: Delivery, name: str) -> tuple[Delivery, StoredRecord | None]:
    return delivery, delivery.find_record(name)


def _delivery(authorized: AuthorizedRequest, key: JobKey) -> Delivery:
    """Open the job's delivery. Raises Refused if it has delivered nothing, and SinkError."""
    job = authorized.find_job(key)
    if job.manifest is None:
        raise Refused(
            Code.CONFLICT,
            f"The job {key} is {job.state} and has delivered nothing. "
            f"GET /v1/jobs/{key}{' says why.' if job.is_terminal else '?wait=60 waits for its end.'}",
        )
    return open_delivered(job)


def _all(delivery: Rows) -> Iterator[bytes]:
    try:
        return delivery.blocks()
    except UnreadableRows as error:
        raise Refused(Code.REQUEST_INVALID, str(error)) from error


def _range(delivery: Rows, offset: int, limit: int | None) -> Iterator[bytes]:
    try:
        return delivery.range_blocks(offset, limit)
    except UnreadableRows as error:
        raise Refused(Code.REQUEST_INVALID, str(error)) from error


def _record_headers(stored: StoredRecord) -> dict[str, str]:
    is_sendable = re.fullmatch(r"[\x20-\x7e]+", stored.content_type)
    content_type = stored.content_type if is_sendable else "application/octet-stream"
    return {"Content-Type": content_type, "Content-Length": str(stored.bytes), **FOREIGN}


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while block := file.read(BLOCK_BYTES):
            yield block


def as_file(response: Response, name: str) -> Response:
    """Return the response as one that a browser keeps as a file."""
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _is_named(wanted: str, header: str) -> bool:
    """Return whether an Accept header accepts a value, i.e. names it without `q=0`."""
    for part in header.lower().split(","):
        name, _, parameters = part.partition(";")
        if name.strip() == wanted:
            return not re.fullmatch(r"\s*q=0(\.0*)?\s*", parameters)
    return False

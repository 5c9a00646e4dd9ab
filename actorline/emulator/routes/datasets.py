"""Datasets: the default ones of runs, by their own id and through their run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from actorline.emulator.call import Call, endpoint
from actorline.emulator.clock import now
from actorline.emulator.dataset.formats import FORMATS
from actorline.emulator.dataset.transforms import Transform
from actorline.emulator.documents import dataset_document
from actorline.emulator.errors import ApiError, invalid_value, record_not_found
from actorline.emulator.params import Params
from actorline.emulator.profile import View
from actorline.emulator.responses import StreamedResponse, data_response
from actorline.emulator.routes.runs import RUN_PREFIXES, called_run
from actorline.emulator.runs import Run

NO_LIMIT: Final = 999_999_999_999
"""X-Apify-Pagination-Limit of a request without one (`docs/platform-facts.md#pagination-headers`)."""


@dataclass(frozen=True)
class Window:
    """A window over the stored items; `limit` is null without one."""

    offset: int
    limit: int | None
    desc: bool

    @classmethod
    def of(cls, params: Params) -> "Window":
        return cls(params.integer("offset") or 0, params.integer("limit") or None, params.flag("desc"))

    def bounds(self, stored: int) -> tuple[int, int]:
        """Return the indexes `[start, stop)` that it covers of a number of stored items."""
        low = min(self.offset, stored)
        high = stored if self.limit is None else min(low + self.limit, stored)
        return (stored - high, stored - low) if self.desc else (low, high)


def called_dataset(call: Call) -> Run:
    """Return the run whose default dataset the path names.

    Raises `ApiError`: there is none.
    """
    dataset_id = call.path_param("dataset_id")
    if dataset_id is None:
        return called_run(call)
    run = call.world.runs.by_dataset(dataset_id, call.username)
    if run is None:
        raise record_not_found("Dataset")
    return run


async def get_dataset(call: Call) -> Response:
    return data_response(dataset_document(called_dataset(call), now()))


async def get_items(call: Call) -> Response:
    return items_response(call, called_dataset(call))


def items_response(call: Call, run: Run, status: int = 200) -> Response:
    """Return a window of the run's items as the query asks for it."""
    params = call.params
    name = params.choice("format", FORMATS) or "json"
    window, transform = Window.of(params), _transform(params, run.life.script.views)
    at = now()
    start, stop = window.bounds(run.life.items(at))
    headers = {
        "X-Apify-Pagination-Offset": str(window.offset),
        "X-Apify-Pagination-Limit": str(window.limit or NO_LIMIT),
        "X-Apify-Pagination-Count": str(stop - start),
        "X-Apify-Pagination-Total": str(run.life.reported_items(at)),
        "X-Apify-Pagination-Desc": str(window.desc).lower(),
        **_attachment(params, f"{run.dataset_id}.{name}"),
    }
    read = partial(item_lines, run, start, stop, transform, desc=window.desc)
    format_ = FORMATS[name]
    body = format_.body(read, params, run.dataset_id)
    return StreamedResponse(call.request, body, headers, format_.media_type, status)


def item_lines(run: Run, start: int, stop: int, transform: Transform, *, desc: bool = False) -> Iterator[bytes]:
    """Return the items `[start, stop)` as blocks of lines, transformed."""
    source = run.item_source
    blocks = source.blocks_desc(start, stop) if desc else source.blocks(start, stop)
    if transform.changes_nothing:
        return blocks
    return filter(None, map(transform.lines, blocks))


def _transform(params: Params, views: Mapping[str, View]) -> Transform:
    """Return what the query asks for; where it is silent, the view that it names."""
    name = params.text("view")
    if name is not None and name not in views:
        raise ApiError(400, "requested-dataset-view-does-not-exist", f'The dataset has no view "{name}"')
    view = views[name] if name else View()
    clean = params.flag("clean")
    fields, output_fields = params.names("fields") or view.fields, params.names("outputFields")
    if output_fields and len(output_fields) != len(fields):
        raise invalid_value("outputFields", "as many names as the parameter fields has")
    return Transform(
        skip_hidden=params.flag("skipHidden") or clean,
        skip_empty=params.flag("skipEmpty") or clean,
        fields=fields,
        output_fields=output_fields,
        omit=params.names("omit") or view.omit,
        unwind=params.names("unwind") or view.unwind,
        flatten=params.names("flatten") or view.flatten,
    )


def _attachment(params: Params, name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'} if params.flag("attachment") else {}


def routes() -> list[Route]:
    prefixes = ("/v2/datasets/{dataset_id}", *(f"{prefix}/dataset" for prefix in RUN_PREFIXES))
    return [
        route
        for prefix in prefixes
        for route in (
            Route(prefix, endpoint(get_dataset), methods=["GET"]),
            Route(f"{prefix}/items", endpoint(get_items), methods=["GET"]),
        )
    ]

"""Datasets: the default ones of runs, by their own id and through their run."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from actorline.emulator.answers import StreamedAnswer, data_answer
from actorline.emulator.call import Call, endpoint
from actorline.emulator.clock import now
from actorline.emulator.documents import dataset_document
from actorline.emulator.errors import ApiError, invalid_value, record_not_found
from actorline.emulator.params import Params
from actorline.emulator.profile import JSON_TYPE
from actorline.emulator.routes.runs import RUN_PREFIXES, called_run
from actorline.emulator.runs import Run
from actorline.emulator.transforms import Transform

NO_LIMIT: Final = 999_999_999_999
"""X-Apify-Pagination-Limit of a request without one (fact sheet 6, "Response headers")."""

_MEDIA_TYPES: Final = {"json": JSON_TYPE, "jsonl": "application/jsonl; charset=utf-8"}


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
        """The indexes `[start, stop)` that it covers of so many stored items."""
        low = min(self.offset, stored)
        high = stored if self.limit is None else min(low + self.limit, stored)
        return (stored - high, stored - low) if self.desc else (low, high)


def called_dataset(call: Call) -> Run:
    """The run whose default dataset the path names.

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
    return data_answer(dataset_document(called_dataset(call), now()))


async def get_items(call: Call) -> Response:
    run = called_dataset(call)
    params = call.params
    format_ = params.choice("format", _MEDIA_TYPES) or "json"
    window, transform = Window.of(params), _transform(params)
    at = now()
    start, stop = window.bounds(run.life.items(at))
    blocks = item_lines(run, start, stop, transform, desc=window.desc)
    headers = {
        "X-Apify-Pagination-Offset": str(window.offset),
        "X-Apify-Pagination-Limit": str(window.limit or NO_LIMIT),
        "X-Apify-Pagination-Count": str(stop - start),
        "X-Apify-Pagination-Total": str(run.life.reported_items(at)),
        "X-Apify-Pagination-Desc": str(window.desc).lower(),
        **_attachment(params, f"{run.dataset_id}.{format_}"),
    }
    body = blocks if format_ == "jsonl" else _json_array(blocks)
    return StreamedAnswer(call.request, body, headers, _MEDIA_TYPES[format_])


def item_lines(run: Run, start: int, stop: int, transform: Transform, *, desc: bool = False) -> Iterator[bytes]:
    """The items `[start, stop)` as blocks of lines, transformed."""
    source = run.item_source
    blocks = source.blocks_desc(start, stop) if desc else source.blocks(start, stop)
    if transform.changes_nothing:
        return blocks
    return filter(None, map(transform.lines, blocks))


def _transform(params: Params) -> Transform:
    if view := params.text("view"):
        message = f'The dataset has no view "{view}"'
        raise ApiError(400, "requested-dataset-view-does-not-exist", message)
    clean = params.flag("clean")
    fields, output_fields = params.names("fields"), params.names("outputFields")
    if output_fields and len(output_fields) != len(fields):
        raise invalid_value("outputFields", "as many names as the parameter fields has")
    return Transform(
        skip_hidden=params.flag("skipHidden") or clean,
        skip_empty=params.flag("skipEmpty") or clean,
        fields=fields,
        output_fields=output_fields,
        omit=params.names("omit"),
        unwind=params.names("unwind"),
        flatten=params.names("flatten"),
    )


def _json_array(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines of JSON as one array: no JSON holds a bare newline, so each one is a border between items."""
    opening = b"["
    for block in blocks:
        yield opening + block[:-1].replace(b"\n", b",\n")
        opening = b",\n"
    yield b"[]" if opening == b"[" else b"]"


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

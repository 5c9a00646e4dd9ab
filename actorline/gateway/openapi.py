"""The parts of the OpenAPI document that no route's signature has: the job document, problems, examples."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Union

from fastapi import FastAPI, Header, Path
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, BeforeValidator

from actorline import __version__
from actorline.batches.batch import BatchResult
from actorline.batches.document import BatchDocument
from actorline.gateway.problems import MEDIA_TYPE, Problem
from actorline.identifiers import JobKey
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.job_key import KEY_PATTERN
from actorline.jobs.job_result import Glimpse, JobResult
from actorline.jobs.states import State

REFERENCE: Final = "#/components/schemas/{model}"
DESCRIPTION: Final = (
    "Runs Apify Actors as jobs: one order is one paid run. The key identifies the job: the same order under the same "
    "key joins the existing job, so a request whose response was lost is safe to repeat."
)
MEANINGS: Final[Mapping[int, str]] = {
    400: "The body is malformed",
    401: "No API key, or an unknown one",
    403: "The API key does not cover this, or the request comes from a web page",
    404: "No such job, or not visible to this API key",
    408: "The body arrived too slowly",
    409: "Conflicts with the job's current state; nothing was changed",
    413: "The body is too large",
    415: "The body is not application/json",
    422: "A bad document, header or parameter; nothing was started",
    429: "Over the API key's quota or its orders per minute: try again after Retry-After",
    500: "Internal error",
    502: "The delivery can't be read from the sink",
    503: "Redis does not respond, or too many requests of this kind: try again after Retry-After",
}

ORDER: Final[Mapping[str, Any]] = {
    "key": "prices-2026-11-23",
    "actor": "apify/web-scraper",
    "input": {"startUrls": [{"url": "https://example.com"}]},
}
RESULT: Final[Mapping[str, Any]] = {
    "key": "prices-2026-11-23", "kind": "job", "state": "DELIVERED", "reason": None, "actor": "apify/web-scraper",
    "target": {"actor": "apify/web-scraper"}, "run_id": "HG7ML7M8z78YcAPEB", "run_url": "https://console.apify.com/view/runs/HG7ML7M8z78YcAPEB",
    "run_status": "SUCCEEDED", "attempt": 1, "adopted": False, "dataset_id": "wmKPijuyDnPZAPRMk",
    "key_value_store_id": "eJNzqsbPiopwJcgGQ", "sink": "file:///srv/rows/prices-2026-11-23/",
    "manifest": "file:///srv/rows/prices-2026-11-23/manifest.json", "items": 250000, "scanned": 250000,
    "bytes": 61234567, "pages": 12, "records": 1, "cost_usd": 0.42, "queued_at": "2026-11-23T08:15:30.123Z",
    "started_at": "2026-11-23T08:15:30.456Z", "run_finished_at": "2026-11-23T08:20:11.000Z",
    "delivered_at": "2026-11-23T08:20:31.789Z",
    "manifest_sha256": "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c",
    "waiting": None,
    "stopped": None,
    "broken": None,
    "changes": None,
}  # fmt: skip

AnyCaseState = Annotated[State, BeforeValidator(str.upper)]
KeyInPath = Annotated[JobKey, Path(description="The job's key", json_schema_extra={"pattern": KEY_PATTERN})]
IdempotencyKey = Annotated[
    str | None,
    Header(description="The job's key, if the document has none", json_schema_extra={"pattern": KEY_PATTERN}),
]
RequestKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Identifies this request; a repetition with the same value changes nothing",
    ),
]
BATCH: Final[Mapping[str, Any]] = {
    "key": "catalog-2026-11-28",
    "template": {"actor": "apify/web-scraper", "options": {"memory_mbytes": 1024}},
    "inputs": [{"startUrls": [{"url": "https://example.com/1"}]}, {"startUrls": [{"url": "https://example.com/2"}]}],
    "max_running": 20,
}
BATCH_RESULT: Final[Mapping[str, Any]] = {
    "key": "catalog-2026-11-28", "kind": "batch", "state": "RUNNING", "reason": None, "inputs": 2,
    "members": {"DELIVERED": 1, "RUNNING": 1}, "items": 1200, "bytes": 61234, "records": 1, "cost_usd": 0.02,
    "manifest": None, "sink": "file:///srv/rows/catalog-2026-11-28/", "queued_at": "2026-11-28T08:15:30.123Z",
    "delivered_at": None,
}  # fmt: skip
Responses = dict[int | str, dict[str, Any]]


def body(model: type[BaseModel], example: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the body of a request, which is read without a signature that names its model."""
    schema = {"$ref": REFERENCE.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


DOCUMENT_BODY: Final[Mapping[str, Any]] = body(JobDocument, ORDER)
BATCH_BODY: Final[Mapping[str, Any]] = body(BatchDocument, BATCH)


def result(status: int, description: str, *other: Any, **headers: str) -> Responses:
    """Describe a response with a job's result, or with key and state only for an API key without the scope `read`.

    `other`: models that it may have instead.
    """
    return _response(status, description, Union[JobResult, Glimpse, *other], RESULT, headers)


def batch_result(status: int, description: str, *other: Any, **headers: str) -> Responses:
    """Describe a response with a batch's result, as `result` does with a job's."""
    return _response(status, description, Union[BatchResult, Glimpse, *other], BATCH_RESULT, headers)


def _response(
    status: int, description: str, model: Any, example: Mapping[str, Any], headers: Mapping[str, str]
) -> Responses:
    return {
        status: {
            "model": model,
            "description": description,
            "content": {"application/json": {"example": example}},
            "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()},
        }
    }


def problems(*statuses: int) -> Responses:
    """Describe responses with a problem document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="Problem")}}}
    return {status: {"description": MEANINGS[status], "content": content} for status in statuses}


def describe(app: FastAPI) -> None:
    """Add the models that no signature names to `/openapi.json`."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title="Actorline",
                version=__version__,
                description=DESCRIPTION,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for model in (JobDocument, BatchDocument, Problem):
                schema = model.model_json_schema(ref_template=REFERENCE)
                schemas.update({**schema.pop("$defs", {}), model.__name__: schema})
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way

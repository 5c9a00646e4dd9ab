"""Orders jobs over HTTP: `uvicorn app:app` in this folder, with Actorline's addresses in the environment.

The handlers are `def`, not `async def`: FastAPI runs them in threads, so that a slow Redis doesn't stop the event loop.
None of them waits for a job's end; clients ask again under Location.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, HttpUrl

from actorline.client import Client
from actorline.errors import Refused, Unavailable
from actorline.jobs.job_result import JobResult

PRICES_ACTOR = os.environ.get("PRICES_ACTOR", "apify/web-scraper")


class PriceOrder(BaseModel):
    start_url: HttpUrl


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with Client.from_settings() as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/jobs", status_code=202)
def order_job(
    order: PriceOrder,
    request: Request,
    response: Response,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> dict[str, str]:
    client: Client = request.app.state.client
    document = {"actor": PRICES_ACTOR, "input": {"startUrls": [{"url": str(order.start_url)}]}}
    # a repeated request with the same header gets the same job, and nothing is paid twice
    key = client.submit({**document, "key": idempotency_key}).key
    response.headers["Location"] = f"/jobs/{key}"
    return {"key": key}


@app.get("/jobs/{key}")
def show_job(key: str, request: Request) -> JobResult:
    client: Client = request.app.state.client
    result = client.status(key, timeout=5)
    if result is None:
        # a job is known as soon as a worker has taken the order, some milliseconds after the 202
        raise HTTPException(404, "no such job (yet)")
    return result


@app.exception_handler(Refused)
async def show_refusal(request: Request, error: Refused) -> Response:
    del request
    return JSONResponse(error.reason.model_dump(), 422)


@app.exception_handler(Unavailable)
@app.exception_handler(TimeoutError)
async def show_outage(request: Request, error: Exception) -> Response:
    del request
    return JSONResponse({"message": str(error)}, 503)

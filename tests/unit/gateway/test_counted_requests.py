"""Each request is counted by its route, and named by an id, and no line of the log holds what could be a secret."""

import asyncio
import re
from contextlib import contextmanager

import httpx
import pytest
import structlog
from fastapi import FastAPI, HTTPException, Request
from prometheus_client import generate_latest
from starlette.middleware import Middleware

from actorline.gateway.counted_requests import CountedRequests, RequestFigures
from actorline.gateway.routes import jobs

SECRET = "canary-in-a-path"


@contextmanager
def logged():
    """Lines as they are logged, with what is bound to them."""
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        yield lines


@pytest.fixture
def figures():
    return RequestFigures()


@pytest.fixture
def ask(figures):
    app = FastAPI(middleware=[Middleware(CountedRequests, figures=figures)])

    @app.get("/jobs/{key}")
    async def read(key: str) -> str:
        return key

    @app.post("/jobs/{key}")
    async def cancel(key: str, request: Request) -> str:
        request.state.holder = "shop"
        structlog.get_logger("audit").info("cancelled")
        return key

    @app.post("/hook/{secret}")
    async def hook(secret: str) -> None:
        raise HTTPException(401, detail=secret)

    def send(method: str, path: str, **headers: str) -> httpx.Response:
        async def sent() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(sent())

    return send


def test_requests_are_counted_by_route_and_status(ask, figures):
    for path in ("/jobs/a", "/jobs/b", "/nowhere"):
        ask("GET", path)
    shown = generate_latest(figures.registry).decode()
    assert 'actorline_http_requests_total{route="GET /jobs/{key}",status="200"} 2.0' in shown
    assert 'actorline_http_requests_total{route="other",status="404"} 1.0' in shown
    assert 'actorline_http_request_seconds_count{route="GET /jobs/{key}"} 2.0' in shown


def test_faults_of_a_route_are_counted_from_zero(figures):
    figures.expect(jobs.router.routes)
    shown = generate_latest(figures.registry).decode()
    assert 'actorline_http_requests_total{route="POST /v1/jobs",status="503"} 0.0' in shown
    assert 'actorline_http_requests_total{route="GET /v1/jobs/{key}",status="500"} 0.0' in shown


def test_a_change_is_one_line_with_request_key_and_sender(ask):
    with logged() as lines:
        response = ask("POST", "/jobs/nightly", Authorization=f"Bearer {SECRET}")
    request_id = response.headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{16}", request_id)
    audit, line = lines
    assert (audit["event"], audit["request_id"]) == ("cancelled", request_id)
    assert line == {
        "event": "request", "log_level": "info", "request_id": request_id, "route": "POST /jobs/{key}", "status": 200,
        "ms": line["ms"], "api_key": "shop", "key": "nightly",
    }  # fmt: skip


def test_a_read_is_chatter_and_a_refusal_is_not(ask):
    with logged() as lines:
        ask("GET", "/jobs/a")
        ask("GET", "/nowhere")
    assert [line["log_level"] for line in lines] == ["debug", "info"]


def test_a_secret_in_a_path_is_in_no_line(ask, figures):
    with logged() as lines:
        ask("POST", f"/hook/{SECRET}")
    assert [line["route"] for line in lines] == ["POST /hook/{secret}"]
    assert SECRET not in f"{lines}{generate_latest(figures.registry)}"


@pytest.mark.parametrize(("given", "is_kept"), [("order-7", True), ("a b", False), ("x" * 65, False)])
def test_a_clients_own_request_id_is_kept_if_it_is_one(ask, given, is_kept):
    response = ask("GET", "/jobs/a", **{"X-Request-Id": given})
    assert (response.headers["X-Request-Id"] == given) is is_kept

"""Errors as HTTP shows them: problem documents (RFC 9457) with our codes, on every path and for every fault."""

import traceback
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import redis
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import compile_path

from actorline.delivery.read_back import NoDelivery
from actorline.delivery.sink import SinkError
from actorline.errors import Code, Reason, Refused, Unavailable
from actorline.identifiers import JobKey
from actorline.ledger.durability import NotDurable
from actorline.ledger.faults import describe_fault

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECS: Final = 5
UNAVAILABLE: Final = frozenset(
    {
        Code.REDIS_UNAVAILABLE,
        Code.PLATFORM_UNAVAILABLE,
        Code.LEDGER_NOT_DURABLE,
        Code.CAPACITY,
    }
)
STATUSES: Final[Mapping[Code, int]] = {
    **dict.fromkeys(UNAVAILABLE, 503),
    Code.AUTH: 401,
    Code.FORBIDDEN: 403,
    Code.UNKNOWN_KEY: 404,
    Code.CONFLICT: 409,
    Code.QUOTA: 429,
    Code.OVERLOAD: 429,
    Code.SINK_FAILED: 502,
    Code.INTERNAL: 500,
}
"""The status of each code; all others are bad orders: 422."""


class Problem(BaseModel):
    """What went wrong, what that means, and what to do about it."""

    type: str = "about:blank"
    title: str = Field(description="The status in words")
    status: int
    detail: str
    code: Code
    billed: bool = Field(default=False, description="Whether a run was started that the account is billed for")
    key: JobKey | None = Field(
        None, description="Send the order again with this Idempotency-Key, so that it is accepted only once"
    )


class Fault(Exception):
    """A malformed or disallowed request, with its own status and headers."""

    def __init__(self, status: int, code: Code, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = Reason(code=code, message=detail, billed=False)
        self.headers = headers


def name_order(request: Request, key: JobKey) -> None:
    """Remember the order's key for refusals that ask to send it again: the sender may not know the key."""
    request.state.order_key = key


class ProblemResponse(Response):
    """Keeps its document, so that a page can show the same in words."""

    def __init__(self, document: Problem, headers: Mapping[str, str]) -> None:
        super().__init__(document.model_dump_json(exclude_none=True), document.status, headers, MEDIA_TYPE)
        self.document = document


def problem(
    status: int, reason: Reason, headers: Mapping[str, str] | None = None, *, request: Request | None = None
) -> ProblemResponse:
    detail, key = reason.message, getattr(request.state, "order_key", None) if request else None
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        key = None
    elif key and key not in detail:
        detail = f"{detail} The order's key is {key}."
    document = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, code=reason.code, billed=reason.billed, key=key
    )
    extra = dict(headers or {})
    if status == HTTPStatus.UNAUTHORIZED:
        extra["WWW-Authenticate"] = "Bearer"
    if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        extra.setdefault("Retry-After", str(RETRY_AFTER_SECS))
    return ProblemResponse(document, extra)


def show_problems(app: FastAPI) -> None:
    """Respond to every exception with a problem document."""
    for kind, handler in _handlers().items():
        app.add_exception_handler(kind, handler)


async def respond_to(request: Request, error: Exception) -> Response:
    """Return the response to an exception, as `show_problems` has it."""
    handlers = _handlers()
    return await next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)(request, error)


def _handlers() -> Mapping[type[Exception], Callable[[Request, Any], Awaitable[Response]]]:
    return {
        Fault: _fault,
        Refused: _refused,
        Unavailable: _refused,
        redis.RedisError: _redis,
        NotDurable: _not_durable,
        NoDelivery: _no_delivery,
        SinkError: _sink,
        RequestValidationError: _parameters,
        HTTPException: _http,
        ClientDisconnect: _gone,
        Exception: _bug,
    }


async def _fault(request: Request, error: Any) -> Response:
    return problem(error.status, error.reason, error.headers, request=request)


async def _refused(request: Request, error: Any) -> Response:
    return problem(STATUSES.get(error.reason.code, 422), error.reason, request=request)


async def _redis(request: Request, error: Any) -> Response:
    fault = describe_fault(error)
    log.warning("redis_unavailable", error=fault)
    message = (
        f"Redis can't be used: {fault}. The request may have been carried out; it started no run. "
        "Send it again, an order with the same key."
    )
    return problem(503, Reason(code=Code.REDIS_UNAVAILABLE, message=message, billed=False), request=request)


async def _not_durable(request: Request, error: Exception) -> Response:
    log.error("ledger_not_durable", error=str(error))
    message = f"{error}. Send the request again, an order with the same key."
    return problem(503, Reason(code=Code.LEDGER_NOT_DURABLE, message=message, billed=False), request=request)


async def _no_delivery(_: Request, error: Exception) -> Response:
    return problem(404, Reason(code=Code.UNKNOWN_KEY, message=str(error), billed=False))


async def _sink(_: Request, error: Exception) -> Response:
    log.error("delivery_unreadable", error=str(error))
    return problem(502, Reason(code=Code.SINK_FAILED, message=str(error), billed=False))


async def _parameters(_: Request, error: Any) -> Response:
    """Name each parameter that FastAPI refused, and why, without its value."""
    found = [f"{'.'.join(str(part) for part in each['loc'][1:])}: {each['msg']}" for each in error.errors()]
    message = f"The request is refused: {'; '.join(found)}. Nothing was done."
    return problem(422, Reason(code=Code.REQUEST_INVALID, message=message, billed=False))


async def _http(request: Request, error: Any) -> Response:
    """Respond to an unknown path or method."""
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods_at(request)) or headers.get("Allow", "")
    message = f"{HTTPStatus(error.status_code).phrase}: /openapi.json lists the paths and their methods."
    return problem(error.status_code, Reason(code=Code.REQUEST_INVALID, message=message, billed=False), headers)


def _methods_at(request: Request) -> list[str]:
    """Return all methods of the path; the framework names only those of its first route."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    found = [methods for path, methods in paths.items() if compile_path(path)[0].match(request.scope["path"])]
    return sorted({method.upper() for methods in found for method in methods})


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # the client is gone


async def _bug(request: Request, error: Exception) -> Response:
    """Log where it happened, but not the exception's message: it may quote an input."""
    places = [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)[-8:]
    ]
    log.error("request_failed", method=request.method, error=type(error).__name__, traceback=places)
    message = "Internal error; see the gateway's log. An order may have been accepted: check, or send it again."
    return problem(500, Reason(code=Code.INTERNAL, message=message, billed=False), request=request)

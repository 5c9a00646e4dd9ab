"""The application: the platform's end-points under `/v2`, behind log and faults, and `/emulator` beside them."""

from email.utils import formatdate
from typing import Final

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actorline.emulator.clock import now
from actorline.emulator.errors import ApiError, method_not_allowed, page_not_found
from actorline.emulator.fault_middleware import FaultMiddleware
from actorline.emulator.faults import FaultPlan
from actorline.emulator.profile import Profile
from actorline.emulator.request_log import RequestLog, RequestLogMiddleware
from actorline.emulator.responses import error_response
from actorline.emulator.routes import actors, control, datasets, records, runs, sync, users, webhooks
from actorline.emulator.world import World

CONTROL_PREFIX: Final = "/emulator/"

CUT_OFF: Final = 499
"""The status in the log of a request whose client was gone before its end: it asked for nothing."""

_RATES: Final = {"default": 60, "records": 200, "starts": 400}
"""Requests a second for one resource (`docs/platform-facts.md#rate-limits`)."""


def make_app(profile: Profile) -> ASGIApp:
    """Return the whole emulator as one ASGI application, which must be served by `connection.OpenH11Protocol`."""
    world, plan, log = World(profile), FaultPlan(), RequestLog()
    app = Starlette(
        routes=[
            *users.routes(),
            *datasets.routes(),
            *records.routes(),
            *runs.routes(),
            *actors.routes(),
            *sync.routes(),
            *webhooks.routes(),
            *control.routes(),
        ],
        exception_handlers={
            ApiError: _refuse,
            ClientDisconnect: _log_cut_off,
            HTTPException: _refuse_route,
            ValidationError: control.refuse_profile,
        },
    )
    app.router.redirect_slashes = False
    app.state.world, app.state.fault_plan, app.state.request_log = world, plan, log
    platform = RequestLogMiddleware(_dated_and_rated(FaultMiddleware(app, plan)), log, world)

    async def emulator(scope: Scope, receive: Receive, send: Send) -> None:
        inner = app if scope["path"].startswith(CONTROL_PREFIX) else platform
        await inner(scope, receive, send)

    return emulator


def _dated_and_rated(app: ASGIApp) -> ASGIApp:
    """Add the time and the rate limit to each response; no limit is enforced."""

    async def with_headers(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Date"] = formatdate(now(), usegmt=True)
                headers["X-RateLimit-Limit"] = str(_rate(scope["method"], scope["path"]))
            await send(message)

        await app(scope, receive, send_with_headers)

    return with_headers


def _rate(method: str, path: str) -> int:
    if "/records/" in path:
        return _RATES["records"]
    if method == "POST" and path.endswith("/runs"):
        return _RATES["starts"]
    return _RATES["default"]


async def _refuse(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return error_response(error)


async def _log_cut_off(_request: Request, _error: Exception) -> Response:
    """Answer for the log alone: the client is gone."""
    return Response(status_code=CUT_OFF)


async def _refuse_route(_request: Request, error: Exception) -> Response:
    """Refuse what Starlette refuses: an unknown path, or a method that a path doesn't have."""
    allowed = error.headers and error.headers.get("Allow") if isinstance(error, HTTPException) else None
    return error_response(method_not_allowed(allowed) if allowed else page_not_found())

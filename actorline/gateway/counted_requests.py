"""Each request to this gateway: counted by its route and status, named by an id, and logged in one line.

A route is its pattern, such as `/v1/jobs/{key}`: real paths are without number, and may hold a secret.
"""

import logging
import re
import secrets
import time
from collections.abc import Iterable
from itertools import product
from typing import Final, Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actorline.jobs.job_key import shown_key

log = structlog.get_logger(__name__)

NO_ROUTE: Final = "other"
REQUEST_ID_HEADER: Final = "X-Request-Id"
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FIRST_FAULT: Final = 400
ALERTED: Final = ("500", "502", "503")
"""Statuses that are exposed as 0 from the start: in a series that begins with a burst no alert sees the increase."""

disable_created_metrics()  # a second series for each counter, which nobody reads


class Counts(Protocol):
    """What holds connections open for long."""

    @property
    def in_use(self) -> int: ...


class RequestFigures:
    """The figures of this process's requests. Those of several gateways are added up."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        self.requests: Final = Counter(
            "actorline_http_requests",
            "HTTP requests, by route and status (none: the client was gone before)",
            ["route", "status"],
            registry=self.registry,
        )
        self.seconds: Final = Histogram(
            "actorline_http_request_seconds",
            "Seconds from an HTTP request to the head of its response; one with `wait` takes as long as it waits",
            ["route"],
            buckets=(0.005, 0.025, 0.1, 0.5, 2.5, 10, 60),
            registry=self.registry,
        )
        self.open: Final = Gauge(
            "actorline_http_open",
            "What is held open: streams of events, requests that wait, downloads, pages in browsers",
            ["kind"],
            registry=self.registry,
        )

    def expect(self, routes: Iterable[BaseRoute]) -> None:
        """Expose the faults of these routes before there is one."""
        for route in routes:
            if isinstance(route, Route):
                for method, status in product(sorted(route.methods or ()), ALERTED):
                    self.requests.labels(f"{method} {route.path}", status)

    def watch(self, kind: str, counts: Counts) -> None:
        """Report how many of a kind are open whenever the figures are asked for."""
        self.open.labels(kind).set_function(lambda: counts.in_use)

    def note(self, route: str, status: str, seconds: float) -> None:
        self.requests.labels(route, status).inc()
        self.seconds.labels(route).observe(seconds)


class CountedRequests:
    """Gives each request an id, the client's if it sent a usable one; each line that it causes is logged with it."""

    def __init__(self, app: ASGIApp, figures: RequestFigures) -> None:
        self._app, self._figures = app, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, head_at, status = time.monotonic(), None, None
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_noting(message: Message) -> None:
            nonlocal head_at, status
            if message["type"] == "http.response.start":
                head_at, status = time.monotonic(), message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            self._note(scope, status, (head_at or time.monotonic()) - began)

    def _note(self, scope: Scope, status: int | None, seconds: float) -> None:
        pattern = getattr(scope.get("route"), "path", None)
        route = f"{scope['method']} {pattern}" if pattern else NO_ROUTE
        self._figures.note(route, "none" if status is None else str(status), seconds)
        state = scope.get("state", {})
        key = state.get("order_key") or scope.get("path_params", {}).get("key")
        is_quiet = scope["method"] in READS and status is not None and status < FIRST_FAULT
        log.log(
            logging.DEBUG if is_quiet else logging.INFO,
            "request",
            route=route,
            status=status,
            ms=round(1000 * seconds, 1),
            api_key=state.get("holder"),
            key=key and shown_key(key),
        )

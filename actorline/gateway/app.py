"""The application: routes, problem documents, and background work."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import redis
from fastapi import Depends, FastAPI
from starlette.middleware import Middleware

from actorline.gateway import openapi
from actorline.gateway.auditing import Refusals
from actorline.gateway.authentication import Authenticator
from actorline.gateway.context import Context
from actorline.gateway.counted_requests import CountedRequests, RequestFigures
from actorline.gateway.default_headers import DefaultHeaders
from actorline.gateway.head_requests import HeadRequests
from actorline.gateway.intake.body import Bodies
from actorline.gateway.intake.orders import OrderIntake
from actorline.gateway.intake.wake_ups import WakeUps
from actorline.gateway.intake.webhook_events import WebhookIntake
from actorline.gateway.pages import routers as pages
from actorline.gateway.pages.pulse import Pulse
from actorline.gateway.pages.rendering import show_unknown_addresses
from actorline.gateway.parameters import refuse_unknown_parameters
from actorline.gateway.problems import show_problems
from actorline.gateway.readiness import SILENCE_SECS, Readiness
from actorline.gateway.routes import batches, budgets, events, health, jobs, metrics, rows, webhooks
from actorline.gateway.shares import Shares
from actorline.gateway.streams import Downloads
from actorline.gateway.timelines import Timelines
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.job_index import JobIndex
from actorline.ledger.queries.key_text import KeyText
from actorline.ledger.store import connect
from actorline.settings import Settings

STRICT_ROUTERS: Final = (jobs.router, batches.router, events.router, rows.router, budgets.router)
API_ROUTERS: Final = (*STRICT_ROUTERS, webhooks.router, health.router)
OTHER_ROUTERS: Final = (webhooks.router, health.router, metrics.router, *pages.ROUTERS)
MOST_STREAMS: Final = 100  # each holds a connection while its job runs; further watchers poll with `wait`
MOST_WAITS: Final = 500
MOST_PAGES: Final = 200  # open in browsers; with streams, waits and downloads 900 of 1,000 connections: 100 stay free
MOST_PAGES_OF_ONE: Final = 100  # of one API key: another's are live all the same
INDEX_AGAIN_SECS: Final = 5.0  # after Redis didn't respond


def make_app(
    settings: Settings, ledger: Ledger, authenticator: Authenticator, *, is_stopping: Callable[[], bool]
) -> FastAPI:
    """Return the gateway's application. `is_stopping`: whether the process is shutting down, so that waits end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.context = context = _open(settings, ledger, authenticator, figures, is_stopping)
        for kind in ("streams", "waits", "downloads", "pages"):
            figures.watch(kind, getattr(context, kind))
        tasks = (context.timelines.run(), context.pulse.run(), _complete(context.index, is_stopping))
        beside = [asyncio.create_task(task) for task in tasks]
        yield
        for task in beside:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for intake in (context.order_intake, context.webhook_intake, context.wake_ups):
            intake.close()

    figures = RequestFigures()
    for router in API_ROUTERS:
        figures.expect(router.routes)
    app = FastAPI(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(HeadRequests), Middleware(CountedRequests, figures=figures), Middleware(DefaultHeaders)],
    )
    for router in STRICT_ROUTERS:
        app.include_router(router, dependencies=[Depends(refuse_unknown_parameters)])
    for router in OTHER_ROUTERS:
        app.include_router(router)
    show_problems(app)
    show_unknown_addresses(app)
    openapi.describe(app)
    return app


def _open(
    settings: Settings,
    ledger: Ledger,
    authenticator: Authenticator,
    figures: RequestFigures,
    is_stopping: Callable[[], bool],
) -> Context:
    """Return what the routes work with; its threads begin here, its tasks don't yet."""
    wake_ups = WakeUps(settings)
    return Context(
        settings,
        ledger,
        authenticator,
        Bodies(settings.quotas.upload_mbytes * 1_000_000),
        OrderIntake(settings, ledger, wake_ups),
        wake_ups,
        WebhookIntake(settings, ledger, wake_ups),
        Timelines(ledger, is_stopping=is_stopping),
        JobIndex(ledger),
        KeyText(ledger),
        Shares("streams of events", each=settings.quotas.streams, together=MOST_STREAMS),
        Shares("requests that wait", each=settings.quotas.waits, together=MOST_WAITS),
        Downloads(settings.quotas.downloads),
        Refusals(ledger),
        Readiness(connect(settings.ledger, socket_timeout_s=SILENCE_SECS, retries=1, idle_s=0)),
        Pulse(ledger, is_stopping=is_stopping),
        Shares("open pages", each=MOST_PAGES_OF_ONE, together=MOST_PAGES),
        figures,
    )


async def _complete(index: JobIndex, is_stopping: Callable[[], bool]) -> None:
    """Complete the indexes; from then on lists of single accounts and Actors are read from them."""
    while not index.is_complete:
        try:
            await asyncio.to_thread(index.complete, is_stopping=is_stopping)
        except redis.RedisError:
            await asyncio.sleep(INDEX_AGAIN_SECS)
        if is_stopping():
            return

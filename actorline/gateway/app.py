"""The application: routes, problem documents, and what runs behind them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from fastapi import FastAPI
from starlette.middleware import Middleware

from actorline.gateway import openapi
from actorline.gateway.admission import Doorkeeper
from actorline.gateway.auditing import Refusals
from actorline.gateway.body import Bodies
from actorline.gateway.context import Context
from actorline.gateway.hinting import HintDesk
from actorline.gateway.manners import Manners
from actorline.gateway.ordering import OrderDesk
from actorline.gateway.problems import show_problems
from actorline.gateway.readiness import Readiness
from actorline.gateway.routes import events, health, jobs, metrics, rows, webhooks
from actorline.gateway.starting import Starter
from actorline.gateway.streams import Downloads, Places
from actorline.gateway.waiting import Timelines
from actorline.jobs.ledger import Ledger
from actorline.settings import Settings

ROUTERS: Final = (jobs.router, events.router, rows.router, webhooks.router, health.router, metrics.router)
MOST_STREAMS: Final = 100  # each holds a connection while its job lasts; more watchers than that ask with `wait`


def make_app(settings: Settings, ledger: Ledger, doorkeeper: Doorkeeper, *, is_stopping: Callable[[], bool]) -> FastAPI:
    """`is_stopping`: whether the process is to end, so that nobody waits any longer."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        timelines = Timelines(ledger, is_stopping=is_stopping)
        starter = Starter(settings)
        hints = HintDesk(settings, ledger, starter)
        desk = OrderDesk(settings, ledger, starter)
        app.state.context = Context(
            settings,
            ledger,
            doorkeeper,
            Bodies(),
            desk,
            starter,
            hints,
            timelines,
            Places(MOST_STREAMS, "events"),
            Downloads(),
            Refusals(ledger),
            Readiness(ledger),
        )
        reading = asyncio.create_task(timelines.run())
        yield
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        desk.close()
        hints.close()
        starter.close()

    app = FastAPI(
        lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False, middleware=[Middleware(Manners)]
    )
    for router in ROUTERS:
        app.include_router(router)
    show_problems(app)
    openapi.describe(app)
    return app

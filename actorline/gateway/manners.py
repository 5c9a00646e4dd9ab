"""What holds for every answer: nobody caches it or guesses its type, and a client that won't take it is left."""

import asyncio
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SEND_SECS: Final = 60.0  # a client that reads nothing for so long holds a connection, and perhaps a file, for nothing
HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class Manners:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                await send(message)
                return
            async with asyncio.timeout(SEND_SECS):
                await send(message)

        await self._app(scope, receive, send_in_time if scope["type"] == "http" else send)

"""HEAD wherever GET is (RFC 9110, 9.1): the same status and headers, and nothing is read for a body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """Has HEAD responded to as GET. The body ends with the headers, by which a stream notices that nobody reads it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body"})

        if scope["type"] == "http" and scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET"}, receive, send_head)
        else:
            await self._app(scope, receive, send)

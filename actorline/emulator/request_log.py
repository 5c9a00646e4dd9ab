"""What was asked of the emulated platform: for tests that count requests. Never a token or a body."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actorline.emulator.clock import now
from actorline.emulator.world import World, token_of

KEPT_REQUESTS: Final = 200_000

_SECRETS: Final = frozenset({"token", "signature", "webhooks"})


@dataclass
class LoggedRequest:
    """One request. Times are unix seconds; `status` is null until a response begins, `finished_at` until it ends."""

    n: int
    at: float
    finished_at: float | None
    method: str
    path: str
    query: dict[str, str]
    status: int | None
    user_agent: str | None
    bytes_out: int
    token_ok: bool


class RequestLog:
    def __init__(self) -> None:
        self._requests: deque[LoggedRequest] = deque(maxlen=KEPT_REQUESTS)
        self._count = 0

    def begin(self, scope: Scope, *, token_ok: bool) -> LoggedRequest:
        self._count += 1
        query = {k: v for k, v in parse_qsl(scope["query_string"].decode("latin-1")) if k not in _SECRETS}
        request = LoggedRequest(
            n=self._count,
            at=now(),
            finished_at=None,
            method=scope["method"],
            path=scope["path"],
            query=query,
            status=None,
            user_agent=Headers(scope=scope).get("user-agent"),
            bytes_out=0,
            token_ok=token_ok,
        )
        self._requests.append(request)
        return request

    def clear(self) -> None:
        """Forget the requests so far; their numbers continue."""
        self._requests.clear()

    def selected(self, method: str | None, path_prefix: str) -> list[dict[str, Any]]:
        return [
            asdict(request)
            for request in self._requests
            if method in (None, request.method) and request.path.startswith(path_prefix)
        ]


class RequestLogMiddleware:
    """Writes down each request when it comes, its response as it goes out."""

    def __init__(self, app: ASGIApp, log: RequestLog, world: World) -> None:
        self._app = app
        self._log = log
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self._log.begin(scope, token_ok=self._world.account(token_of(scope)) is not None)

        async def counted(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                request.status = message["status"]
            else:
                request.bytes_out += len(message.get("body", b""))

        try:
            await self._app(scope, receive, counted)
        finally:
            request.finished_at = now()

"""The TCP connection behind a request, for those who have to break it."""

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "transport"
_LINGER_NOT = struct.pack("ii", 1, 0)


class OpenH11Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 that tells the application which transport a request came over."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


def is_closed(scope: Scope) -> bool:
    """Return whether the client has gone, so that nothing more need be made for it."""
    return _transport(scope).is_closing()


async def reset(scope: Scope, receive: Receive) -> None:
    """Break the connection at once: the client sees "connection reset by peer"."""
    transport = _transport(scope)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()
    await _gone(receive)


async def close(scope: Scope, receive: Receive) -> None:
    """End the connection after what has been sent: the client sees an early end."""
    _transport(scope).close()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Return when the server knows that the connection has ended; it would complain of the missing response."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(scope: Scope) -> asyncio.Transport:
    state: dict[str, Any] = scope["state"]
    transport: asyncio.Transport = state[_TRANSPORT]
    return transport

"""Connections within bounds: how many, and how long one may take to send its request. Others notice nothing of it."""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MOST_CONNECTIONS: Final = 800  # a process has 1,024 file descriptors by default; Redis and deliveries need some
HEAD_SECS: Final = 10.0  # from the connection's making, or the first byte of a further request, to its last header


class BoundedConnection(H11Protocol):
    """When all places are taken, the one that has kept us waiting longest for its request makes room."""

    waits_since: float = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self.waits_since = self.loop.time()
        self._deadline = self.loop.call_later(HEAD_SECS, self.give_up)
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and not self.is_served:
            self._deadline = self.loop.call_later(HEAD_SECS, self.give_up)
        super().data_received(data)
        if self.is_served:
            self._stop_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self.waits_since = self.loop.time()
        super().on_response_complete()

    @property
    def is_served(self) -> bool:
        """A whole head has come, and its answer isn't complete."""
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request: it is not typed so
        return cycle is not None and not cycle.response_complete

    @property
    def keeps_waiting(self) -> bool:
        """The client has yet to send: its request, or the rest of a body."""
        return not self.is_served or self.cycle.more_body

    def give_up(self) -> None:
        self.transport.abort()

    def _make_room(self) -> None:
        connections = cast("set[Any]", self.connections)
        waiting = [each for each in connections if each.keeps_waiting]
        min(waiting, key=lambda each: each.waits_since).give_up()

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

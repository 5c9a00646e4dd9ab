"""Bounded connections: how many, and how long a client may take to send a request or to read its response."""

import asyncio
from typing import Any, Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from actorline.errors import Code, Reason
from actorline.gateway.problems import problem

MOST_CONNECTIONS: Final = 1_000  # a process may open twice as many files: see `server.py`
NOT_HTTP: Final = "This is not HTTP, or its headers have more than 16 kB. Nothing was done."
HEAD_SECS: Final = 10.0  # from the connection, or the first byte of a further request, to its last header


RESPONSE_READ_SECS: Final = 60.0  # a client that reads nothing for this long is cut off: it holds a connection


class BoundedConnection(H11Protocol):
    """When all connections are in use, the one whose request has been awaited longest is closed, before any that is
    sending a body: slow clients, however many, don't affect the others.
    """

    waits_since: float = 0
    _head_clock: asyncio.TimerHandle | None = None
    _take_clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self.waits_since = self.loop.time()
        self._head_clock = self.loop.call_later(HEAD_SECS, self.give_up)
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        if self._head_clock is None and not self.is_served:
            self._head_clock = self.loop.call_later(HEAD_SECS, self.give_up)
        super().data_received(data)
        if self.is_served:
            self._stop_head_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_clock()
        self._stop_take_clock()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the clock: the client isn't reading."""
        super().pause_writing()
        self._take_clock = self.loop.call_later(RESPONSE_READ_SECS, self.give_up)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_take_clock()

    def on_response_complete(self) -> None:
        self.waits_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Send a problem document for what isn't HTTP or has endless headers."""
        del msg
        if self.is_served:  # a response is being sent: it is too late for another
            self.give_up()
            return
        response = problem(400, Reason(code=Code.REQUEST_INVALID, message=NOT_HTTP, billed=False))
        headers = [*response.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    @property
    def is_served(self) -> bool:
        """Return whether all headers have arrived and the response isn't complete."""
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request, whatever its type says
        return cycle is not None and not cycle.response_complete

    @property
    def keeps_waiting(self) -> bool:
        """Return whether the client has yet to send its request, or the rest of a body."""
        return not self.is_served or self.cycle.more_body

    def give_up(self) -> None:
        self.transport.abort()

    def _make_room(self) -> None:
        connections = cast("set[Any]", self.connections)
        waiting = [each for each in connections if each.keeps_waiting]
        min(waiting, key=lambda each: (each.is_served, each.waits_since)).give_up()

    def _stop_head_clock(self) -> None:
        if self._head_clock is not None:
            self._head_clock.cancel()
            self._head_clock = None

    def _stop_take_clock(self) -> None:
        if self._take_clock is not None:
            self._take_clock.cancel()
            self._take_clock = None

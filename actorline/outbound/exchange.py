"""One exchange with a server that a document names: within one deadline, and with public addresses only.

The deadline covers the look-up, the connection, TLS, head and body, and is kept by a timer that shuts the connection
down: a server that sends a byte every few seconds would defeat any read time-out.
Names are resolved here, once; every address is checked, and the connection is made to a checked one, so a name that
later resolves elsewhere has no effect. All failures to connect have the same message, so that an order can't be used
to probe the operator's network; the log has the cause.
"""

import contextlib
import functools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final

import requests

from actorline.logs import Logger
from actorline.outbound.adapter import OutboundAdapter
from actorline.outbound.public_address import is_public

CONNECT_SECS: Final = 5.0
SERVER_SILENCE_SECS: Final = 15.0
NAME_LOOK_UP_SECS: Final = 5.0
ADDRESSES: Final = 4  # at most tried for one name
UNREAD_BYTES: Final = 256 * 1024  # received data that can still be read after the connection is shut down
_RESET: Final = struct.pack("ii", 1, 0)  # closing resets the connection, so a server that is still sending ends at once
_Address = tuple[socket.AddressFamily, tuple[Any, ...]]

log = Logger(__name__)


class Unreachable(Exception):
    """No connection to the host; the message is the same for every cause."""

    def __init__(self) -> None:
        super().__init__("can't be reached, or has no public address")


class TookTooLong(Exception):
    """The exchange didn't finish within its deadline."""

    def __init__(self, within_s: float) -> None:
        super().__init__(f"didn't finish within {within_s:.0f} s")


class ExchangeSession(requests.Session):
    """A session for one request. `cut` ends it at once, from another thread; the waiting call then raises an error."""

    cut: Callable[[], None]


@contextmanager
def exchange(hosts: Sequence[str], *, within_s: float) -> Iterator[ExchangeSession]:
    """Open a session without proxies or stored passwords; its use must end within the block.

    `hosts`: hosts allowed by name, whatever their addresses; none: public addresses only. Raises
    Unreachable and TookTooLong, and lets requests' errors through.
    """
    deadline = _Deadline(within_s)
    connect = functools.partial(_connect, deadline=deadline, any_address=bool(hosts))
    session = ExchangeSession()
    session.cut = deadline.cut
    session.trust_env = False
    session.mount("http://", _Adapter(connect))
    session.mount("https://", _Adapter(connect))
    try:
        with session, deadline:
            yield session
    except Exception:
        deadline.check()  # the error may only be the cut
        raise
    deadline.check()  # a body without a length looks complete although the cut ended it


class _Deadline:
    """Shuts the connection down at the deadline."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._ends_at = time.monotonic() + within_s
        self._timer = threading.Timer(within_s, self._end)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._is_over = False
        self._is_cut = False

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._connection:
                self._connection.close()

    @property
    def left_s(self) -> float:
        """Return the seconds left. Raises TookTooLong if there are none."""
        self.check()
        return max(self._ends_at - time.monotonic(), 0.001)

    def check(self) -> None:
        if self._is_over or time.monotonic() >= self._ends_at:
            raise TookTooLong(self._within_s)

    def watch(self, connection: socket.socket) -> None:
        """Shut this connection down at the deadline, by its own descriptor: TLS takes over the caller's."""
        with self._lock:
            self._connection = connection.dup()
            if self._is_cut:
                raise ConnectionAbortedError
        self.check()

    def _end(self) -> None:
        self._is_over = True
        self.cut()

    def cut(self) -> None:
        """Shut the connection down, or the one that is being made."""
        with self._lock:
            self._is_cut = True
            if self._connection:
                with contextlib.suppress(OSError):  # the server has already closed it
                    self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    self._connection.shutdown(socket.SHUT_RDWR)


def _connect(host: str, port: int, options: Sequence[Any], *, deadline: _Deadline, any_address: bool) -> socket.socket:
    """Connect to the first address that accepts. Raises Unreachable and TookTooLong."""
    try:
        addresses = _look_up(host, port, min(NAME_LOOK_UP_SECS, deadline.left_s))
        if not any_address:
            _refuse_private([address[0] for _, address in addresses])
        connection = _first(addresses[:ADDRESSES], options, deadline)
        with _closed_if_it_fails(connection):
            deadline.watch(connection)
            if not any_address:
                _refuse_private([connection.getpeername()[0]])
    except (OSError, UnicodeError) as error:
        deadline.check()
        log.warning("outside_host_unreachable", host=host, port=port, cause=str(error)[:300] or type(error).__name__)
        raise Unreachable from None
    return connection


@contextmanager
def _closed_if_it_fails(connection: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _look_up(host: str, port: int, within_s: float) -> list[_Address]:
    """Return every address of a name. A look-up can't be interrupted, so one that takes too long is abandoned."""
    found: Future[list[_Address]] = Future()

    def look_up() -> None:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.set_result([(family, address) for family, _, _, _, address in addresses])
        except (OSError, UnicodeError) as error:
            found.set_exception(error)

    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    return found.result(within_s)


def _refuse_private(addresses: Sequence[str]) -> None:
    if private := [address for address in addresses if not is_public(address)]:
        raise PermissionError(f"not public: {', '.join(private[:ADDRESSES])}")


def _first(addresses: Sequence[_Address], options: Sequence[Any], deadline: _Deadline) -> socket.socket:
    """Return a connection to the first address that accepts. Raises the last one's OSError."""
    failure = OSError("the name has no address")
    for family, address in addresses:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            with _closed_if_it_fails(connection):
                for option in options:
                    connection.setsockopt(*option)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
                connection.settimeout(min(CONNECT_SECS, deadline.left_s))
                connection.connect(address)
                return connection
        except OSError as error:
            failure = error
    raise failure


class _Adapter(OutboundAdapter):
    """Connects by `connect`; TLS and the Host header still use the host's name."""

    def __init__(self, connect: Any) -> None:
        self._connect = connect
        super().__init__()

    def connection_class(self, base: Any) -> Any:
        connect = self._connect

        class Checked(super().connection_class(base)):  # type: ignore[misc]  # its base is only known at run time
            def _new_conn(self) -> socket.socket:
                return connect(self._dns_host.strip("[]"), self.port, self.socket_options or ())  # type: ignore[no-any-return]

        return Checked

"""The head of a response: read within a time limit, past the interim responses (1xx) that may come before it.

http.client bounds the silence between two bytes, not the head as a whole, and takes every interim response but 100 for
the response itself. A client must expect them, one or more (RFC 9110, section 15.2).
"""

import io
import socket
import time
from http import HTTPStatus
from http.client import HTTPResponse, parse_headers
from typing import Any, Final

HEAD_SECS: Final = 30.0
"""How long the head of a response may take after the time in which its first byte must be there."""


class WholeHead(HTTPResponse):
    """A response whose head is there within its socket's time-out and `HEAD_SECS`; raises TimeoutError otherwise."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._reads = _TimedReads(self.fp.detach(), until=time.monotonic() + (sock.gettimeout() or 0) + HEAD_SECS)
        self.fp = io.BufferedReader(self._reads)

    def begin(self) -> None:
        super().begin()
        self._reads.until = None

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # the stubs lack it
            if not HTTPStatus.SWITCHING_PROTOCOLS < status < HTTPStatus.OK:
                return version, status, reason
            parse_headers(self.fp)


class _TimedReads(io.RawIOBase):
    """The reads of a socket. None begins after `until`, in seconds of the monotonic clock; None: no limit."""

    def __init__(self, raw: io.RawIOBase, *, until: float | None) -> None:
        self._raw = raw
        self.until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.until is not None and time.monotonic() > self.until:
            raise TimeoutError("the head of the response doesn't end")
        return self._raw.readinto(buffer)

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()

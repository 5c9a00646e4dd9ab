"""A response that can't hold its reader for ever: its head has a time limit, and a body that comes byte by byte is
given up. Interim responses (1xx) before it are passed over.

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
SLOW_SECS: Final = 60.0
SLOW_BYTES: Final = 10_000
"""A response is broken if fewer than `SLOW_BYTES` arrive within `SLOW_SECS` and the time that its server may be silent,
both of them counted while it is waited for.
"""


class TooSlow(TimeoutError):
    """The head, or a part of the body, takes longer than it may."""


class TimedResponse(HTTPResponse):
    """A response whose head must be there within its socket's time-out (none counts as 0 s) and `HEAD_SECS`, and whose
    body must not be as slow as `SLOW_SECS` says; reading it raises TooSlow otherwise.
    """

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._reads = _TimedReads(self.fp.detach(), silence_s=sock.gettimeout() or 0)
        self.fp = io.BufferedReader(self._reads)

    def begin(self) -> None:
        super().begin()
        self._reads.begin_body()

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # the stubs lack it
            if not HTTPStatus.SWITCHING_PROTOCOLS < status < HTTPStatus.OK:
                return version, status, reason
            parse_headers(self.fp)


class _TimedReads(io.RawIOBase):
    """The reads of a socket that may be silent for `silence_s`. None begins after what came was too slow: it raises
    TooSlow. What has come is never thrown away.
    """

    def __init__(self, raw: io.RawIOBase, *, silence_s: float) -> None:
        self._raw = raw
        self._head_by: float | None = time.monotonic() + silence_s + HEAD_SECS
        self._slow_s = silence_s + SLOW_SECS
        self._waited_s, self._bytes = 0.0, 0

    def begin_body(self) -> None:
        self._head_by = None
        self._waited_s, self._bytes = 0.0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        began = time.monotonic()
        if self._head_by is not None:
            if began > self._head_by:
                raise TooSlow("the head of the response doesn't end")
        elif self._waited_s > self._slow_s:
            if self._bytes < SLOW_BYTES:
                raise TooSlow(f"the response comes too slowly: {self._bytes:,} bytes in {self._waited_s:.0f} s")
            self._waited_s, self._bytes = 0.0, 0
        count = self._raw.readinto(buffer)
        self._bytes += count or 0
        self._waited_s += time.monotonic() - began  # not what its reader takes between two reads
        return count

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()

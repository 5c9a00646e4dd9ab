"""The body of a response, read block by block so that memory doesn't grow with it, or as a whole within bounds."""

import time
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import ClassVar, Final, Self

import requests
import urllib3

from actorline.inflate import Inflate
from actorline.platform.describe import describe_fault, describe_request
from actorline.platform.errors import PlatformUnavailable
from actorline.platform.headers import int_header

# A list of 1,000 runs has about 2 MB, and 18 MB with the longest user agents that servers take.
WHOLE_BYTES_MAX: Final = 32 * 1024 * 1024
WHOLE_SECS: Final = 60.0
BLOCK_BYTES: Final = 256 * 1024


class Body:
    """An open response; a context manager that closes it. For one thread.

    A connection that breaks or stalls, and a body shorter than its Content-Length, raise PlatformUnavailable.
    A body that isn't framed can't be checked here.
    """

    ENCODINGS: ClassVar[frozenset[str]] = frozenset({"gzip", "x-gzip", "identity"})
    """The content encodings that were asked for (`x-gzip` is gzip: RFC 9110, section 8.4.1.3); any other would be taken
    for the content itself.
    """

    content_type: str
    """As sent, with its parameters; empty if absent."""
    content_length: int | None
    """Bytes on the wire, still encoded; None if the server didn't say."""
    is_framed: bool
    """Whether its end can be distinguished from a broken connection: by its length, or by chunks."""
    is_encoded: bool
    """Whether the raw bytes are not the content itself."""
    is_gzip: bool

    def __init__(self, response: requests.Response) -> None:
        """Take over an open response; raises PlatformUnavailable, with the response closed, for an unknown encoding."""
        self._response = response
        encoding = response.headers.get("Content-Encoding", "").strip().lower() or "identity"
        if encoding not in self.ENCODINGS:
            response.close()
            raise PlatformUnavailable(
                f"The response has a Content-Encoding that was not requested: {encoding}",
                status=response.status_code,
                request=describe_request(response),
            )
        self.content_type = response.headers.get("Content-Type", "")
        self.content_length = int_header(response, "Content-Length")
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        self.is_framed = chunked or self.content_length is not None
        self.is_gzip = encoding in {"gzip", "x-gzip"}
        self.is_encoded = encoding != "identity"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back if the body was read to its end, and cut it otherwise. Safe to repeat."""
        self._response.close()

    def cut(self) -> None:
        """End the reading from another thread: what waits for bytes breaks off, or takes them for the end."""
        with suppress(ValueError, RuntimeError, OSError):  # it has ended already
            self._response.raw.shutdown()

    def readinto(self, buffer: memoryview | bytearray) -> int:
        """Fill `buffer` with raw bytes, still encoded, and return how many; fewer than fit, then 0, mean the end."""
        block = self._read(len(buffer), decoded=False)
        buffer[: len(block)] = block
        return len(block)

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield the raw bytes, still encoded, in blocks of `size` bytes; only the last is shorter."""
        return self._encoded(size)

    def decoded_blocks(self, size: int) -> Iterator[bytes]:
        """Yield the bytes without the Content-Encoding, in blocks of about `size`; not to be mixed with raw reads.

        Raises PlatformUnavailable also where a gzip stream is damaged or ends too early, which urllib3 doesn't notice.
        """
        if self.is_gzip:
            yield from self._inflated(self._encoded(size), size)
            return
        while block := self._read(size, decoded=True):
            yield block

    def _encoded(self, size: int) -> Iterator[bytes]:
        while block := self._read(size, decoded=False):
            yield block

    def whole(self, *, most_bytes: int = WHOLE_BYTES_MAX) -> bytes:
        """Return all of it, without the Content-Encoding. Raises PlatformUnavailable also if it is larger, or takes
        longer: few bytes on the wire may inflate to any size, and may come one by one.
        """
        content, arriving = bytearray(), self._arriving()
        for block in self._inflated(arriving, BLOCK_BYTES) if self.is_gzip else arriving:
            content += block
            if len(content) > most_bytes:
                raise self._unavailable(f"The response has more than {most_bytes:,} bytes; the API's have far fewer")
        return bytes(content)

    def _arriving(self) -> Iterator[bytes]:
        """Yield the raw bytes as they arrive."""
        ends_at = time.monotonic() + WHOLE_SECS
        while data := self._read(BLOCK_BYTES, decoded=False, as_it_arrives=True):
            if time.monotonic() > ends_at:
                raise self._broken(f"its body didn't end within {WHOLE_SECS:g} s")
            yield data

    def _inflated(self, blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
        """Yield the text of gzip members; what follows them is left out."""
        inflate = Inflate(self._broken, most_bytes=size, leaves_rest=True)
        for data in blocks:
            yield from inflate.feed(data)
            if inflate.is_over:
                return
        inflate.finish()

    def _broken(self, why: str) -> PlatformUnavailable:
        return self._unavailable(f"The response broke off: {why}")

    def _unavailable(self, message: str) -> PlatformUnavailable:
        return PlatformUnavailable(message, status=self._response.status_code, request=describe_request(self._response))

    def _read(self, size: int, *, decoded: bool, as_it_arrives: bool = False) -> bytes:
        raw = self._response.raw
        try:
            return (raw.read1 if as_it_arrives else raw.read)(size, decode_content=decoded)
        except urllib3.exceptions.HTTPError as error:
            raise self._broken(describe_fault(error)) from error

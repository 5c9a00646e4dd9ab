"""A request's body: read in bounded memory, and decompressed.

Limit: `docs/platform-facts.md#body-size`. Brotli, which the platform takes as well, gets a 415 here.
"""

import zlib
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.requests import Request

from actorline.emulator.errors import ApiError, invalid_input, request_too_large, unsupported_content_encoding

MAX_BODY_BYTES: Final = 9_437_184
"""Measured after decompression."""

_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}


@dataclass(frozen=True)
class Body:
    """What came: the bytes as sent with their Content-Encoding, and the same decompressed."""

    content_type: str | None
    encoding: str | None
    sent: bytes
    content: bytes

    @property
    def is_json(self) -> bool:
        return is_json_type(self.content_type or "")

    def json(self) -> Any:
        """Return the parsed content.

        Raises `ApiError`: it isn't JSON.
        """
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError:
            raise ApiError(400, "run-input-body-not-valid-json", "The body is not valid JSON") from None


def is_json_type(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


async def read_body(request: Request) -> Body:
    """Return the whole body.

    Raises `ApiError`: 413 if it is too large, 415 for an unknown Content-Encoding, 400 if it cannot be decompressed.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    sent = await _read_bounded(request)
    if encoding == "identity":
        return Body(request.headers.get("content-type"), None, sent, sent)
    if encoding not in _WINDOW_BITS:
        raise unsupported_content_encoding(encoding)
    return Body(request.headers.get("content-type"), encoding, sent, _decompressed(sent, _WINDOW_BITS[encoding]))


async def _read_bounded(request: Request) -> bytes:
    """Read to the end, also what is too much: a client that still sends would not see the response."""
    kept: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            kept.append(chunk)
    if size > MAX_BODY_BYTES:
        raise request_too_large(MAX_BODY_BYTES, size)
    return b"".join(kept)


def _decompressed(sent: bytes, window_bits: int) -> bytes:
    inflater = zlib.decompressobj(window_bits)
    try:
        content = inflater.decompress(sent, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise invalid_input("The body does not fit its Content-Encoding") from None
    if len(content) > MAX_BODY_BYTES:
        raise request_too_large(MAX_BODY_BYTES, len(content))
    if not inflater.eof:
        raise invalid_input("The body ends too early for its Content-Encoding")
    return content

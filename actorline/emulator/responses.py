"""The forms of a response: the envelope, the error, and a body streamed in blocks."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
from isal import isal_zlib
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from actorline.emulator import connection
from actorline.emulator.errors import ApiError
from actorline.emulator.profile import JSON_TYPE

_GZIP_LEVEL: Final = 1
_GZIP_WINDOW_BITS: Final = 31


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type=JSON_TYPE)


def data_response(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return the success envelope (`docs/platform-facts.md#envelope`)."""
    return json_response({"data": data}, status, headers)


def error_response(error: ApiError) -> Response:
    return json_response({"error": {"type": error.type, "message": error.message}}, error.status, error.headers)


class StreamedResponse(Response):
    """A body made block by block as the client takes it; compressed if the client says that it can read gzip."""

    def __init__(
        self,
        request: Request,
        blocks: Iterable[bytes],
        headers: Mapping[str, str],
        media_type: str,
        status: int = 200,
    ) -> None:
        self._gzip = _accepts_gzip(request)
        encoding = {"content-encoding": "gzip"} if self._gzip else {}
        super().__init__(None, status, {**headers, **encoding, "vary": "Accept-Encoding"}, media_type)
        del self.headers["content-length"]
        self._blocks = blocks

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            for block in _gzipped(self._blocks) if self._gzip else self._blocks:
                if connection.is_closed(scope):
                    return
                await send({"type": "http.response.body", "body": block, "more_body": True})
                await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _accepts_gzip(request: Request) -> bool:
    for offer in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, quality = offer.replace(" ", "").partition(";q=")
        if coding in ("gzip", "*"):
            return quality not in ("0", "0.0", "0.00", "0.000")
    return False


def _gzipped(blocks: Iterable[bytes]) -> Iterator[bytes]:
    deflater = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW_BITS)
    for block in blocks:
        if made := deflater.compress(block):
            yield made
    yield deflater.flush()

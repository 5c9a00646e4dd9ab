"""Key-value stores: the default ones of runs, by their own id and through their run."""

import zlib
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from actorline.emulator.call import Call, endpoint
from actorline.emulator.clock import now
from actorline.emulator.documents import key_value_store_document
from actorline.emulator.errors import invalid_value, record_not_found
from actorline.emulator.records import Record
from actorline.emulator.request_body import read_body
from actorline.emulator.responses import data_response, json_response
from actorline.emulator.routes.runs import RUN_PREFIXES, called_run
from actorline.emulator.runs import Run

MAX_LISTED_KEYS: Final = 1000

_ANY_TYPE: Final = "application/octet-stream"
_ANY_ENCODING: Final = 32 + zlib.MAX_WBITS


def called_store(call: Call) -> Run:
    """Return the run whose default key-value store the path names.

    Raises `ApiError`: there is none.
    """
    store_id = call.path_param("store_id")
    if store_id is None:
        return called_run(call)
    run = call.world.runs.by_key_value_store(store_id, call.username)
    if run is None:
        raise record_not_found("Key-value store")
    return run


async def get_store(call: Call) -> Response:
    return data_response(key_value_store_document(called_store(call), now()))


async def get_keys(call: Call) -> Response:
    """Return OpenAPI's `ListOfKeys`."""
    run = called_store(call)
    params = call.params
    limit = params.integer("limit", minimum=1)
    if limit is not None and limit > MAX_LISTED_KEYS:
        raise invalid_value("limit", f"an integer from 1 to {MAX_LISTED_KEYS}")
    limit = limit or MAX_LISTED_KEYS
    after, prefix = params.text("exclusiveStartKey"), params.text("prefix") or ""
    at = now()
    keys = [
        key
        for key in run.records.sorted_keys(run.life, at)
        if key.startswith(prefix) and (after is None or key.encode() > after.encode())
    ]
    page, is_truncated = keys[:limit], len(keys) > limit
    return data_response(
        {
            "items": [_key_document(call, run, key, at) for key in page],
            "count": len(page),
            "limit": limit,
            "exclusiveStartKey": after,
            "isTruncated": is_truncated,
            "nextExclusiveStartKey": page[-1] if is_truncated else None,
        }
    )


async def record(call: Call) -> Response:
    if call.request.method in ("PUT", "POST"):
        return await _put_record(call)
    key = call.path_param("key") or ""
    run = called_store(call)
    found = run.records.get(key, run.life, now())
    if found is None:
        raise record_not_found("Record")
    return _record_response(call, key, found)


async def _put_record(call: Call) -> Response:
    run, key = called_store(call), call.path_param("key") or ""
    body = await read_body(call.request)
    run.records.put(key, Record(body.content_type or _ANY_TYPE, body.sent, body.encoding))
    return json_response({}, 201, {"Location": _record_url(call, run, key)})


def _record_response(call: Call, key: str, found: Record) -> Response:
    """Return a record as stored, or decompressed for a client that doesn't accept its encoding
    (`docs/platform-facts.md#records`).
    """
    headers = {"Content-Type": found.content_type, "Vary": "Accept-Encoding"}
    if call.params.flag("attachment"):
        headers["Content-Disposition"] = f'attachment; filename="{key}"'
    body = found.body
    if found.encoding:
        if found.encoding in call.request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = found.encoding
        else:
            body = zlib.decompress(body, _ANY_ENCODING)
    return Response(body, headers=headers)


def _key_document(call: Call, run: Run, key: str, at: float) -> dict[str, str | int]:
    found = run.records.get(key, run.life, at)
    size = len(found.body) if found else 0
    return {"key": key, "size": size, "recordPublicUrl": _record_url(call, run, key)}


def _record_url(call: Call, run: Run, key: str) -> str:
    path = f"/v2/key-value-stores/{run.key_value_store_id}/records/{key}"
    return str(call.request.url.replace(path=path, query=""))


def routes() -> list[Route]:
    prefixes = ("/v2/key-value-stores/{store_id}", *(f"{prefix}/key-value-store" for prefix in RUN_PREFIXES))
    return [
        route
        for prefix in prefixes
        for route in (
            Route(prefix, endpoint(get_store), methods=["GET"]),
            Route(f"{prefix}/keys", endpoint(get_keys), methods=["GET"]),
            Route(f"{prefix}/records/{{key}}", endpoint(record), methods=["GET", "PUT", "POST"]),
        )
    ]

"""What the platform's reference allows in a request to the second API, and what of it a request breaks.

Sources: `docs/platform-facts.md`; OpenAPI, the paths named in `ENDPOINTS`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

NUMBER: Final = r"[0-9]+(\.[0-9]+)?"
BOOLEAN: Final = "true|false|1|0"
NAMES: Final = "[^,]+(,[^,]+)*"
MOMENT: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
OPTIONS: Final = {
    "timeout": NUMBER, "memory": "128|256|512|1024|2048|4096|8192|16384|32768", "maxItems": "[1-9][0-9]*",
    "maxTotalChargeUsd": NUMBER, "restartOnError": BOOLEAN, "build": ".+", "waitForFinish": NUMBER, "webhooks": ".+",
}  # fmt: skip
WINDOW: Final = {
    "format": "jsonl|csv|xml", "offset": "[0-9]+", "limit": "[1-9][0-9]*", "clean": BOOLEAN, "skipEmpty": BOOLEAN,
    "skipHidden": BOOLEAN, "desc": "false|0", "fields": NAMES, "bom": BOOLEAN, "skipHeaderRow": BOOLEAN,
    "delimiter": ".", "xmlRoot": r"\w+", "xmlRow": r"\w+",
}  # fmt: skip
RUN_LIST: Final = {
    "offset": "[0-9]+", "limit": "[1-9][0-9]*", "desc": BOOLEAN, "status": NAMES, "startedAfter": MOMENT,
    "startedBefore": MOMENT,
}  # fmt: skip
# name -> method, path, query parameter -> what it must look like
ENDPOINTS: Final[Mapping[str, tuple[str, str, Mapping[str, str]]]] = {
    "me": ("GET", "/v2/users/me", {}),
    "limits": ("GET", "/v2/users/me/limits", {}),
    "actor": ("GET", "/v2/actors/([^/]+)", {}),
    "actor_task": ("GET", "/v2/actor-tasks/([^/]+)", {}),
    "start": ("POST", "/v2/actors/([^/]+)/runs", OPTIONS | {"forcePermissionLevel": "(LIMITED|FULL)_PERMISSIONS"}),
    "start_task": ("POST", "/v2/actor-tasks/([^/]+)/runs", OPTIONS),
    "runs": ("GET", "/v2/actor-runs", RUN_LIST),
    "run": ("GET", "/v2/actor-runs/([^/]+)", {"waitForFinish": NUMBER}),
    "abort": ("POST", "/v2/actor-runs/([^/]+)/abort", {"gracefully": BOOLEAN}),
    "dataset": ("GET", "/v2/datasets/([^/]+)", {}),
    "items": ("GET", "/v2/datasets/([^/]+)/items", WINDOW),
    "record": ("GET", "/v2/key-value-stores/([^/]+)/records/([^/]+)", {"attachment": BOOLEAN}),
}
STARTS: Final = {"start", "start_task"}
NEEDED_HEADERS: Final = {"host", "authorization", "user-agent", "accept"}
KNOWN_HEADERS: Final = NEEDED_HEADERS | {"accept-encoding", "connection"}


@dataclass(frozen=True)
class Request:
    endpoint: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes
    at: float

    @property
    def bare_path(self) -> str:
        return urlsplit(self.path).path


def violations(request: Request, pairs: Sequence[tuple[str, str]], header_names: Sequence[str]) -> Iterator[str]:
    """What a request does that the reference doesn't name."""
    if not request.endpoint:
        yield "there is no such endpoint with this method"
        return
    known = ENDPOINTS[request.endpoint][2]
    if len(request.query) < len(pairs):
        yield "a parameter stands twice"
    yield from (f"unknown or bad: {name}" for name, value in pairs if not re.fullmatch(known.get(name, "(?!)"), value))
    yield from _header_violations(request, [name.lower() for name in header_names])
    if "apify_api" in unquote(request.path):
        yield "a token stands in the URL"
    if request.endpoint in STARTS and not _is_json_object(request.body):
        yield "the input is no JSON object"
    if request.endpoint not in STARTS and request.body:
        yield "a body that nobody asked for"


def _header_violations(request: Request, names: Sequence[str]) -> Iterator[str]:
    with_body = {"content-length"} if request.method == "POST" else set()
    if request.endpoint in STARTS:
        with_body.add("content-type")
    wanted = NEEDED_HEADERS | with_body
    if len(names) > len(set(names)) or not wanted <= set(names) <= KNOWN_HEADERS | with_body:
        yield f"missing, doubled or extra headers: {sorted(names)}"
    if not re.fullmatch(r"Bearer apify_api_\w+", request.headers.get("authorization", "")):
        yield "no bearer token"
    if "content-type" in with_body and request.headers.get("content-type") != "application/json":
        yield "the input isn't called JSON"


def _is_json_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False

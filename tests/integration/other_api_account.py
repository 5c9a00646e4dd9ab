"""One account of the second API: its Actor, the runs it has started, what they stored, and how it likes to respond."""

import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Final

from other_api_formats import WRITERS
from other_api_rules import Request

TERMINAL: Final = {"SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED"}
OUTPUT: Final = '{"summary": "fünf Gänge", "ok": true}'.encode()


@dataclass(frozen=True)
class Trouble:
    """What comes instead of an endpoint's response, once."""

    status: int = 0
    """0: the response itself, only cut or late."""
    html: bool = False
    retry_after: str = ""
    """`secs` or `date`: a `Retry-After` of 2 s in that form; a request before that is a violation."""
    done: bool = True
    """Whether the request is carried out all the same."""
    cut: str = ""
    """`lost`: the connection ends without a response; `reset`: in the body; `short`: the body is shorter than said."""
    delay_secs: float = 0


@dataclass(frozen=True)
class Habits:
    """How one account's platform responds; each field stands for something that the reference leaves open."""

    items: int = 300
    statuses: Sequence[tuple[str, float]] = (("READY", 0.2), ("RUNNING", 0.4))
    """What a run goes through, and for how many seconds."""
    ends: str = "SUCCEEDED"
    aborting_secs: float = 0.2
    time_format: str = "millis"
    odd_runs: bool = False
    """Fields that nobody knows, and null for each that need not be there."""
    run_hidden_secs: float = 0
    """A run is not found for so long after its start."""
    list_hidden_secs: float = 0
    run_gone_after_secs: float = 10**9
    """From then on, once it was looked at, neither the run's own address nor the list knows it; its dataset stays."""
    list_page: int = 1000
    list_limit_echoed: bool = False
    """A list repeats the limit that was asked for, not the one it kept to."""
    list_meta: str = "whole"
    """`whole`, `null` (no user agent), `origin` (no field for one) or `none` (no meta at all)."""
    foreign_runs: int = 0
    """Runs of somebody else, started in the same second as ours."""
    totals: Sequence[tuple[float, int]] = ()
    """The counters' values until so many seconds after the run's end."""
    late_items_secs: float = 0
    """Half of the items can be read only so long after the run's end."""
    items_per_response: int = 10**9
    tables_need_columns: bool = False
    """Where no row has a column there is no table, but an error."""
    content_type: str = "application/jsonl"
    last_newline: bool = True
    compression: str = "gzip"
    """`gzip` or `never`."""
    framing: str = "length"
    """`length`, `chunked` or `close`: how the end of a response is marked."""
    closes: bool = False
    lowercase: bool = False
    dataset_stats: str = "whole"
    """`whole`, `null` or `none`."""
    vanishes_after: int = 10**9
    """The dataset is gone after so many responses with items."""
    output_elsewhere: str = ""
    """The host to which the record OUTPUT is redirected, on another port."""
    troubles: Mapping[str, Sequence[Trouble]] = field(default_factory=dict)
    """Endpoint -> what happens to its first requests."""


@dataclass
class Response:
    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    id: str
    user_agent: str
    origin: str
    query: dict[str, str]
    of_task: bool
    started_at: datetime
    began: float = field(default_factory=time.monotonic)
    aborted: float | None = None
    looks: int = 0

    @property
    def dataset_id(self) -> str:
        return f"d{self.id[1:]}"

    @property
    def store_id(self) -> str:
        return f"k{self.id[1:]}"


class Account:
    """One token's platform."""

    def __init__(self, name: str, habits: Habits, elsewhere: Callable[[str], str]) -> None:
        self.token = f"apify_api_{name}{secrets.token_hex(8)}"
        self.actor = f"other/{name.replace('_', '-')}"
        self.habits = habits
        self.runs: list[Run] = []
        self.foreign: list[Run] = []
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.lines = [json.dumps(item_of(number), ensure_ascii=False).encode() for number in range(habits.items)]
        self.troubles = {endpoint: deque(troubles) for endpoint, troubles in habits.troubles.items()}
        self._elsewhere = elsewhere
        self._not_before: dict[str, float] = {}
        self._items_responses = 0

    def requests_to(self, *endpoints: str) -> list[Request]:
        return [request for request in self.requests if request.endpoint in endpoints]

    def respond(self, request: Request, names: Sequence[str]) -> tuple[Response, Trouble]:
        """Carry a request out, unless trouble is due. Not for two threads at once."""
        if request.at < self._not_before.get(request.endpoint, 0):
            self.violations.append(f"{request.endpoint} came again before its Retry-After")
        waiting = self.troubles.get(request.endpoint)
        trouble = waiting.popleft() if waiting else Trouble()
        response = error(501, "not-reached")
        if trouble.done:
            response = getattr(self, f"_{request.endpoint}")(request, *names)
        if trouble.status:
            response = self._trouble(request, trouble)
        return response, trouble

    def _trouble(self, request: Request, trouble: Trouble) -> Response:
        types = {404: "page-not-found", 429: "rate-limit-exceeded", 501: "not-implemented"}
        response = error(trouble.status, types.get(trouble.status, "internal-server-error"))
        if trouble.html:
            response = Response(trouble.status, b"<html><body>Bad gateway</body></html>\n", "text/html")
        if trouble.retry_after:
            at = datetime.fromtimestamp(int(request.at + 2), UTC)
            is_date = trouble.retry_after == "date"
            response.headers["Retry-After"] = format_datetime(at, usegmt=True) if is_date else "2"
            self._not_before[request.endpoint] = at.timestamp() if is_date else request.at + 2
        return response

    # -- Actors and runs

    def _me(self, _: Request) -> Response:
        return data({"id": f"user-{self.name}", "username": self.name})

    def _limits(self, _: Request) -> Response:
        most = {"maxConcurrentActorJobs": 5, "maxActorMemoryGbytes": 8.5, "maxActorCount": 100}
        return data({"limits": most, "current": {"activeActorJobCount": 0, "actorMemoryGbytes": 0.5}})

    def _actor(self, _: Request, name: str) -> Response:
        if name != self.actor.replace("/", "~"):
            return error(404, "actor-not-found")
        return data({"id": "actor0123456789ab", "userId": "user0", "name": name.partition("~")[2], "username": "other"})

    def _actor_task(self, _: Request, name: str) -> Response:
        return data({"id": name, "userId": "user0", "actId": "actor0123456789ab", "name": "saved", "username": "other"})

    def _start_task(self, request: Request, name: str) -> Response:
        return self._start(request, name)

    def _start(self, request: Request, name: str) -> Response:
        if name != self.actor.replace("/", "~"):
            return error(404, "actor-not-found")
        if self.runs:
            self.violations.append("a second run was started")
        for number in range(self.habits.foreign_runs):
            origin = ("API", "WEB", "SCHEDULER")[number % 3]
            self.foreign.append(self._made(f"somebody/{number}", origin, request))
        self.runs.append(self._made(request.headers.get("user-agent", ""), "API", request))
        run = self.runs[-1]
        return Response(
            201, data(self._described(run)).body, headers={"Location": f"https://api.apify.com/v2/actor-runs/{run.id}"}
        )

    def _made(self, user_agent: str, origin: str, request: Request) -> Run:
        started = datetime.now(UTC)
        if self.foreign:
            started = self.foreign[0].started_at  # all in one millisecond
        of_task = request.endpoint == "start_task"
        return Run("r" + secrets.token_hex(8), user_agent, origin, request.query, of_task, started)

    def _run(self, _: Request, run_id: str) -> Response:
        run = self._find(run_id)
        if run is None or self._is_gone(run) or time.monotonic() - run.began < self.habits.run_hidden_secs:
            return error(404, "record-not-found")
        run.looks += 1
        return data(self._described(run))

    def _is_gone(self, run: Run) -> bool:
        return run.looks > 0 and time.monotonic() - run.began >= self.habits.run_gone_after_secs

    def _abort(self, _: Request, run_id: str) -> Response:
        run = self._find(run_id)
        if run is None:
            return error(404, "record-not-found")
        if run in self.foreign:
            self.violations.append("somebody else's run was aborted")
        if run.aborted is None and self._status(run) not in TERMINAL:
            run.aborted = time.monotonic()
        return data(self._described(run))

    def _runs(self, request: Request) -> Response:
        habits, query = self.habits, request.query
        shown = [run for run in (*self.foreign, *self.runs) if time.monotonic() - run.began >= habits.list_hidden_secs]
        shown = [run for run in shown if not self._is_gone(run)]
        shown = [run for run in shown if _millis(run.started_at) >= query.get("startedAfter", "")]
        shown = [run for run in shown if _millis(run.started_at) <= query.get("startedBefore", "9")]
        if "status" in query:
            shown = [run for run in shown if self._status(run) in query["status"].split(",")]
        shown.sort(key=lambda run: run.started_at, reverse=query.get("desc") in {"true", "1"})
        offset, asked = int(query.get("offset", 0)), int(query.get("limit", 1000))
        limit = min(asked, habits.list_page)
        items = [self._summarised(run) for run in shown[offset : offset + limit]]
        return data(
            {
                "total": len(shown),
                "offset": offset,
                "limit": asked if habits.list_limit_echoed else limit,
                "desc": query.get("desc") in {"true", "1"},
                "count": len(items),
                "items": items,
            }
        )

    def _find(self, run_id: str) -> Run | None:
        found = next((run for run in (*self.runs, *self.foreign) if run.id == run_id), None)
        if found is None:
            self.violations.append(f"the run {run_id} was never started here")
        return found

    def _status(self, run: Run) -> str:
        if run.aborted is not None:
            return "ABORTING" if time.monotonic() - run.aborted < self.habits.aborting_secs else "ABORTED"
        left = time.monotonic() - run.began
        for status, seconds in self.habits.statuses:
            if left < seconds:
                return status
            left -= seconds
        return self.habits.ends

    def _ended_for(self, run: Run) -> float:
        """Seconds since the run's end; negative while it goes on."""
        if run.aborted is not None:
            return time.monotonic() - run.aborted - self.habits.aborting_secs
        return time.monotonic() - run.began - sum(seconds for _, seconds in self.habits.statuses)

    def _summarised(self, run: Run) -> dict[str, Any]:
        whole = self._described(run)
        summary: dict[str, Any] = {name: whole[name] for name in RUN_SHORT if name in whole}
        match self.habits.list_meta:
            case "null":
                summary["meta"] = {"origin": run.origin, "userAgent": None}
            case "origin":
                summary["meta"] = {"origin": run.origin}
            case "none":
                del summary["meta"]
        return summary

    def _described(self, run: Run) -> dict[str, Any]:
        ended, status = self._ended_for(run), self._status(run)
        written = TIME_FORMATS[self.habits.time_format]
        finished = written(run.started_at + timedelta(seconds=time.monotonic() - run.began - ended))
        options = {"build": "latest", "timeoutSecs": 300, "memoryMbytes": 1024, "diskMbytes": 2048}
        described: dict[str, Any] = {
            "id": run.id, "actId": "actor0123456789ab", "userId": "user0", "startedAt": written(run.started_at),
            "finishedAt": finished if status in TERMINAL else None, "status": status, "buildId": "build0",
            "meta": {"origin": run.origin, "userAgent": run.user_agent}, "stats": {"computeUnits": 0.01},
            "options": options, "defaultKeyValueStoreId": run.store_id, "defaultDatasetId": run.dataset_id,
            "defaultRequestQueueId": f"q{run.id[1:]}", "generalAccess": "RESTRICTED", "usageTotalUsd": 0.25,
            "buildNumber": "1.0.0", "buildNumberInt": 1_000_000,
        }  # fmt: skip
        if run.of_task:
            described["actorTaskId"] = "task0123456789abc"
        if self.habits.odd_runs:
            nulls = ("statusMessage", "isStatusMessageTerminal", "exitCode", "usage", "usageUsd", "metamorphs",
                     "gitBranchName", "containerUrl", "usageTotalUsd", "buildNumber", "pricingInfo", "storageIds",
                     "isContainerServerReady", "actorTaskId")  # fmt: skip
            described |= dict.fromkeys(nulls)
            described |= {"stats": None, "options": options | {"maxItems": None, "maxTotalChargeUsd": None}}
            described["meta"] |= {"clientIp": None, "scheduleId": None, "planet": "Mars"}
            described |= {"fromTomorrow": {"deep": [1, {}]}, "generalAccess": "SOMETHING_NEW"}
        return described

    # -- storages

    def _dataset(self, _: Request, dataset_id: str) -> Response:
        run = self._owner(dataset_id)
        if run is None or self._items_responses >= self.habits.vanishes_after:
            return error(404, "record-not-found")
        total, now = self._total(run), _millis(datetime.now(UTC))
        described: dict[str, Any] = {
            "id": dataset_id, "userId": "user0", "createdAt": now, "modifiedAt": now, "accessedAt": now,
            "itemCount": total, "cleanItemCount": total, "consoleUrl": "https://console.example",
            "stats": {"readCount": 0, "writeCount": total, "storageBytes": 90 * total}, "name": None, "fields": None,
        }  # fmt: skip
        if self.habits.dataset_stats == "null":
            described["stats"] = None
        elif self.habits.dataset_stats == "none":
            del described["stats"]
        return data(described)

    def _items(self, request: Request, dataset_id: str) -> Response:
        run, habits, query = self._owner(dataset_id), self.habits, request.query
        if run is None or self._items_responses >= habits.vanishes_after:
            return error(404, "record-not-found")
        self._items_responses += 1
        readable = len(self.lines) // (2 if self._ended_for(run) < habits.late_items_secs else 1)
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 999_999_999_999))
        lines = self.lines[:readable][offset : offset + min(limit, habits.items_per_response)]
        counts = {"Offset": offset, "Limit": limit, "Count": len(lines), "Total": self._total(run)}
        if query.get("clean") in {"true", "1"}:
            lines = cleaned(lines)
        headers = {f"X-Apify-Pagination-{name}": str(count) for name, count in counts.items()}
        if query["format"] == "jsonl":
            body = b"\n".join(lines) + (b"\n" if lines and habits.last_newline else b"")
            return Response(200, body, habits.content_type, headers)
        if habits.tables_need_columns and set(lines) <= {b"{}"}:
            return error(400, "no-columns-in-exported-dataset")
        content_type, write = WRITERS[query["format"]]
        return Response(
            200, write([json.loads(line) for line in lines], query, habits.last_newline), content_type, headers
        )

    def _total(self, run: Run) -> int:
        ended = self._ended_for(run)
        return next((total for until, total in self.habits.totals if ended < until), len(self.lines))

    def _record(self, _: Request, store_id: str, key: str) -> Response:
        if self._owner(store_id) is None or key != "OUTPUT":
            return error(404, "record-not-found")
        if self.habits.output_elsewhere:
            location = self._elsewhere(self.habits.output_elsewhere)
            return Response(302, b"", headers={"Location": f"{location}/{store_id}/OUTPUT?signature=abc"})
        return Response(200, OUTPUT)

    def _owner(self, storage_id: str) -> Run | None:
        return next((run for run in self.runs if storage_id in {run.dataset_id, run.store_id}), None)


RUN_SHORT: Final = (
    "id", "actId", "userId", "actorTaskId", "status", "startedAt", "finishedAt", "buildId", "buildNumber",
    "buildNumberInt", "meta", "usageTotalUsd", "defaultKeyValueStoreId", "defaultDatasetId", "defaultRequestQueueId",
)  # fmt: skip


def item_of(number: int) -> dict[str, Any]:
    """Item `number`: unlike its neighbours, and unlike what is easy to read."""
    if number % 50 == 7:
        return {}
    nasty = [
        "",
        "line\nbreak",
        "\u2028 \u0085",
        'quote " \\ \t',
        "😀 ñ ü",
        None,
        {"deep": [{}, [None, -0.5]]},
        "x" * 900,
    ]
    return {"index": number, "#hidden": number, "value": nasty[number % len(nasty)]}


def cleaned(lines: Sequence[bytes]) -> list[bytes]:
    """The rows that `clean` leaves: without hidden fields, without empty items."""
    items = [json.loads(line) for line in lines]
    items = [{name: value for name, value in item.items() if not name.startswith("#")} for item in items]
    return [json.dumps(item, ensure_ascii=False).encode() for item in items if item]


def data(value: Any) -> Response:
    return Response(200, json.dumps({"data": value}).encode())


def error(status: int, type: str) -> Response:  # noqa: A002 - the platform's word
    return Response(status, json.dumps({"error": {"type": type, "message": f"This is {type}"}}).encode())


def _millis(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


TIME_FORMATS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "millis": _millis,
    "seconds": lambda moment: moment.isoformat(timespec="seconds").replace("+00:00", "Z"),
    "offset": lambda moment: moment.isoformat(timespec="milliseconds"),
    "elsewhere": lambda moment: moment.astimezone(timezone(timedelta(hours=-7))).isoformat(),
}

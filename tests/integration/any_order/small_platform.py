"""A platform in memory, as requests sees it: runs that come late and show late, counters that lag, odd responses.

It keeps what the platform promises (`docs/platform-facts.md`) and does what it may do; nothing here is taken from
the emulator.
"""

import io
import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import requests
import urllib3
from held_execution import SENT_AT_ONCE, SENT_ONCE, Fate, leave_process
from requests.adapters import HTTPAdapter
from virtual_clock import Clock

READY_SECS: Final = 1.0
ABORTING_SECS: Final = 3.0
COUNTER_LAG_SECS: Final = 9.0  # "up to 5 to 10 s"; the product's setting says 10
CLIENT_TIMEOUT_SECS: Final = 60.0
OURS: Final = re.compile(r"/([0-9a-f]{16})\.([0-9]+)\)")


class StartReply(Enum):
    """What the client gets for a start."""

    CREATED = auto()
    REFUSED = auto()
    NO_CAPACITY = auto()
    RATE_LIMITED = auto()
    UNREACHABLE = auto()  # no connection: nothing was sent
    BAD_GATEWAY = auto()
    RESET = auto()
    TIMED_OUT = auto()
    CUT = auto()  # 201, and half of its body


MAKES_A_RUN: Final = frozenset({StartReply.CREATED, StartReply.CUT})
UNCLEAR: Final = (StartReply.BAD_GATEWAY, StartReply.RESET, StartReply.TIMED_OUT)


@dataclass(frozen=True)
class Start:
    """How the next start goes. `made`: whether an unclear reply hides a run; `late_secs`: until that run exists;
    `unlisted_secs`, `unknown_secs`: for how long after that lists, and a GET of it, don't know it.
    """

    reply: StartReply = StartReply.CREATED
    made: bool = True
    late_secs: float = 0
    unlisted_secs: float = 0
    unknown_secs: float = 0


@dataclass
class Phase:
    """From a start or a resurrection to an end; rows come evenly."""

    begins: float
    ends: float
    final: str
    rows: int

    def rows_at(self, now: float) -> int:
        share = (now - self.begins) / (self.ends - self.begins)
        return int(self.rows * min(max(share, 0), 1))


@dataclass
class Run:
    id: str
    actor: str
    body: bytes
    user_agent: str
    sent_at: float
    at: float
    listed_at: float
    known_at: float
    phases: list[Phase]
    aborted_at: float | None = None

    @property
    def attempt(self) -> tuple[str, int] | None:
        """Digest of the job's key and number of the attempt; None: somebody else's run."""
        found = OURS.search(self.user_agent)
        return (found[1], int(found[2])) if found else None

    def exists(self, now: float) -> bool:
        return now >= self.at

    def status(self, now: float) -> str:
        if self.aborted_at is not None:
            return "ABORTED" if now >= self.aborted_at + ABORTING_SECS else "ABORTING"
        phase = self.phases[-1]
        if now >= phase.ends:
            return phase.final
        if now < phase.begins + READY_SECS:
            return "READY"
        return "MIGRATING" if now < phase.begins + 2 * READY_SECS else "RUNNING"  # the one that nobody has heard of

    def is_terminal(self, now: float) -> bool:
        return self.status(now) in {"SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED"}

    def finished_at(self, now: float) -> float | None:
        if not self.is_terminal(now):
            return None
        return self.phases[-1].ends if self.aborted_at is None else self.aborted_at + ABORTING_SECS

    def rows(self, now: float) -> int:
        until = now if self.aborted_at is None else min(now, self.aborted_at)
        return sum(phase.rows_at(until) for phase in self.phases)

    def abort(self, now: float) -> None:
        if self.aborted_at is None and not self.is_terminal(now):
            self.aborted_at = now

    def resurrect(self, now: float, secs: float) -> None:
        self.aborted_at = None
        self.phases.append(Phase(now, now + secs, "SUCCEEDED", self.phases[0].rows))

    def line(self, number: int) -> bytes:
        return b'{"run":"%s","row":%d}\n' % (self.id.encode(), number)

    def lines(self, now: float) -> bytes:
        """All rows, as one response would hold them."""
        return b"".join(self.line(number) for number in range(self.rows(now)))


@dataclass
class SmallPlatform:
    """`shows_agents`: lists name user agents; `keeps_agents`: a run shows the one it was started with."""

    clock: Clock
    shows_agents: bool = True
    keeps_agents: bool = True
    is_down: bool = False
    final: str = "SUCCEEDED"
    secs: float = 20.0
    rows: int = 7
    coming: deque[Start] = field(default_factory=deque)
    runs: dict[str, Run] = field(default_factory=dict)

    def paid(self) -> dict[tuple[str, int], list[Run]]:
        """The runs that were made for each attempt, also those that don't exist yet."""
        paid: dict[tuple[str, int], list[Run]] = {}
        for run in self.runs.values():
            if run.attempt:
                paid.setdefault(run.attempt, []).append(run)
        return paid

    def add_run(self, actor: str, body: bytes, user_agent: str, start: Start) -> Run:
        sent_at = self.clock.now()
        at = sent_at + start.late_secs
        run = Run(
            id=f"Run{len(self.runs):014}",
            actor=actor,
            body=body,
            user_agent=user_agent,
            sent_at=sent_at,
            at=at,
            listed_at=at + start.unlisted_secs,
            known_at=at + start.unknown_secs,
            phases=[Phase(at, at + self.secs, self.final, self.rows)],
        )
        self.runs[run.id] = run
        return run

    # -- two adapters: a start on a connection of its own, and everything else

    def adapter(self) -> HTTPAdapter:
        return _Adapter(self.respond, SENT_ONCE)

    def start_adapter(self, guard: Any) -> HTTPAdapter:
        """Stands in for the product's own adapter, and asks its guard where that one does: last before the bytes."""
        start = self.coming.popleft() if self.coming else Start()

        def connect() -> None:
            if start.reply is StartReply.UNREACHABLE or self.is_down:
                raise requests.ConnectionError("no connection")
            guard.pass_or_raise()

        return _Adapter(lambda request: self.start(request, start), SENT_AT_ONCE, connect)

    def start(self, request: requests.PreparedRequest, start: Start) -> urllib3.HTTPResponse:
        run = None
        if start.reply in MAKES_A_RUN or (start.reply in UNCLEAR and start.made):
            actor = urlsplit(request.url or "").path.split("/")[3]
            run = self.add_run(actor, request.body or b"", request.headers["User-Agent"], start)
        match start.reply:
            case StartReply.REFUSED:
                return error(400, "invalid-input", "Input is not valid")
            case StartReply.NO_CAPACITY:
                return error(402, "actor-memory-limit-exceeded", "No memory left")
            case StartReply.RATE_LIMITED:
                return error(429, "rate-limit-exceeded", "Slower, please")
            case StartReply.BAD_GATEWAY:
                return response_of(502, b"<html>Bad Gateway</html>", content_type="text/html")
            case StartReply.TIMED_OUT:
                self.clock.advance(CLIENT_TIMEOUT_SECS)
                raise requests.ReadTimeout
            case StartReply.RESET:
                raise requests.ConnectionError("reset")
        assert run
        body = json.dumps({"data": self.describe(run)}).encode()
        return response_of(201, body if start.reply is StartReply.CREATED else body[: len(body) // 2])

    def respond(self, request: requests.PreparedRequest) -> urllib3.HTTPResponse:
        if self.is_down:
            return response_of(503, b"<html>Service Unavailable</html>", content_type="text/html")
        url = urlsplit(request.url or "")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        for method, pattern, call in (
            ("GET", r"/v2/actor-runs", self._list),
            ("GET", r"/v2/actor-runs/(\w+)", self._run),
            ("POST", r"/v2/actor-runs/(\w+)/abort", self._abort),
            ("POST", r"/v2/actor-runs/(\w+)/resurrect", self._resurrect),
            ("GET", r"/v2/datasets/(\w+)", self._dataset),
            ("GET", r"/v2/datasets/(\w+)/items", self._items),
            ("GET", r"/v2/logs/(\w+)", self._log),
            ("GET", r"/v2/actors/([\w~]+)", self._actor),
            ("GET", r"/v2/users/me/limits", self._limits),
            ("GET", r"/v2/key-value-stores/(\w+)/records/INPUT", self._input),
        ):
            found = re.fullmatch(pattern, url.path)
            if found and method == request.method:
                return call(query, *found.groups())
        raise UnknownRequestError(f"{request.method} {request.url}")

    # -- what they return

    def _list(self, query: dict[str, str]) -> urllib3.HTTPResponse:
        now, after = self.clock.now(), unix(query["startedAfter"]) if "startedAfter" in query else 0.0
        listed = sorted(
            (run for run in self.runs.values() if now >= run.listed_at and run.at >= after), key=lambda run: run.at
        )
        wanted = query["status"].split(",") if "status" in query else None
        items = [self.describe(run, in_list=True) for run in listed if not wanted or run.status(now) in wanted]
        offset = int(query.get("offset", 0))
        return data({"items": items[offset : offset + 2]})  # a platform may give fewer than it was asked for

    def _run(self, _: dict[str, str], run_id: str) -> urllib3.HTTPResponse:
        run = self._known(run_id)
        return data(self.describe(run)) if run else not_found()

    def _abort(self, _: dict[str, str], run_id: str) -> urllib3.HTTPResponse:
        run = self._known(run_id)
        if run is None:
            return not_found()
        run.abort(self.clock.now())
        return data(self.describe(run))

    def _resurrect(self, _: dict[str, str], run_id: str) -> urllib3.HTTPResponse:
        run = self._known(run_id)
        if run is None:
            return not_found()
        if not run.is_terminal(self.clock.now()):
            return error(400, "run-not-terminal", "The run goes on")
        run.resurrect(self.clock.now(), self.secs)
        return data(self.describe(run))

    def _dataset(self, _: dict[str, str], dataset_id: str) -> urllib3.HTTPResponse:
        run = self._of_dataset(dataset_id)
        return data({"id": dataset_id, "itemCount": self._counter(run)})

    def _items(self, query: dict[str, str], dataset_id: str) -> urllib3.HTTPResponse:
        run = self._of_dataset(dataset_id)
        offset, limit = int(query["offset"]), int(query["limit"])
        numbers = range(offset, min(offset + limit, run.rows(self.clock.now())))
        headers = {
            "X-Apify-Pagination-Offset": str(offset),
            "X-Apify-Pagination-Limit": str(limit),
            "X-Apify-Pagination-Count": str(len(numbers)),
            "X-Apify-Pagination-Total": str(self._counter(run)),
        }
        return response_of(200, b"".join(map(run.line, numbers)), content_type="application/jsonl", **headers)

    def _log(self, _: dict[str, str], run_id: str) -> urllib3.HTTPResponse:
        return response_of(200, f"the log of {run_id}\n".encode(), content_type="text/plain")

    def _actor(self, _: dict[str, str], actor: str) -> urllib3.HTTPResponse:
        return data({"id": actor.replace("~", "Id"), "name": "actor", "username": "any"})

    def _limits(self, _: dict[str, str]) -> urllib3.HTTPResponse:
        return data({"limits": {}, "current": {}})

    def _input(self, _: dict[str, str], store_id: str) -> urllib3.HTTPResponse:
        return response_of(200, self.runs[store_id.removeprefix("Store")].body)

    def describe(self, run: Run, *, in_list: bool = False) -> dict[str, Any]:
        now = self.clock.now()
        finished_at = run.finished_at(now)
        meta = {"origin": "API"}
        if self.keeps_agents and (self.shows_agents or not in_list):
            meta["userAgent"] = run.user_agent
        return {
            "id": run.id,
            "actId": run.actor.replace("~", "Id"),
            "status": run.status(now),
            "startedAt": iso(run.at),
            "finishedAt": finished_at and iso(finished_at),
            "defaultDatasetId": f"Data{run.id}",
            "defaultKeyValueStoreId": f"Store{run.id}",
            "meta": meta,
            "usageTotalUsd": 0.01,
            **({} if in_list else {"stats": {"resurrectCount": len(run.phases) - 1}}),
        }

    def _known(self, run_id: str) -> Run | None:
        run = self.runs.get(run_id)
        return run if run and self.clock.now() >= run.known_at else None

    def _of_dataset(self, dataset_id: str) -> Run:
        return self.runs[dataset_id.removeprefix("Data")]

    def _counter(self, run: Run) -> int:
        """It lags behind the rows."""
        return run.rows(self.clock.now() - COUNTER_LAG_SECS)


class UnknownRequestError(BaseException):
    """The product asked for what is not modelled here: no part of it may take that for a fault."""


class _Adapter(HTTPAdapter):
    def __init__(
        self,
        respond: Callable[[requests.PreparedRequest], urllib3.HTTPResponse],
        possible: frozenset[Fate],
        connect: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._respond, self._possible, self._connect = respond, possible, connect

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        self._connect()
        response = leave_process(
            lambda: self._respond(request), lost=lambda: requests.ConnectionError("broken off"), possible=self._possible
        )
        built: requests.Response = self.build_response(request, response)
        return built


def response_of(
    status: int, body: bytes, content_type: str = "application/json", **headers: str
) -> urllib3.HTTPResponse:
    head = {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}
    return urllib3.HTTPResponse(io.BytesIO(body), head, status, preload_content=False)


def data(content: Any) -> urllib3.HTTPResponse:
    return response_of(200, json.dumps({"data": content}).encode())


def error(status: int, kind: str, message: str) -> urllib3.HTTPResponse:
    return response_of(status, json.dumps({"error": {"type": kind, "message": message}}).encode())


def not_found() -> urllib3.HTTPResponse:
    return error(404, "record-not-found", "Not found")


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()

"""Runs: lists, one run, waiting, abort, and the log."""

from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Final

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from actorline.emulator.call import Call, endpoint
from actorline.emulator.clock import now
from actorline.emulator.documents import run_document, run_short_document
from actorline.emulator.errors import ApiError, record_not_found
from actorline.emulator.life import STATUSES, log_lines
from actorline.emulator.responses import data_response
from actorline.emulator.runs import ORIGIN, Run

MAX_LISTED_RUNS: Final = 1000
MAX_WAIT_SECS: Final = 60.0
"""A longer wait is clamped, not refused (`docs/platform-facts.md#waiting`)."""

LAST_RUN_PREFIXES: Final = (
    "/v2/actors/{actor}/runs/last",
    "/v2/acts/{actor}/runs/last",
    "/v2/actor-tasks/{actor_task}/runs/last",
)
NESTED_RUN_PREFIXES: Final = ("/v2/actors/{actor}/runs/{run_id}", "/v2/acts/{actor}/runs/{run_id}")
RUN_PREFIX: Final = "/v2/actor-runs/{run_id}"

RUN_PREFIXES: Final = (RUN_PREFIX, *LAST_RUN_PREFIXES)
"""Each leads to one run, and below it to its log and its default storages."""

_ORIGINS: Final = ("DEVELOPMENT", "WEB", "API", "SCHEDULER", "TEST", "WEBHOOK", "ACTOR", "CLI", "CI", "STANDBY", "MCP")
_TEXT: Final = "text/plain; charset=utf-8"


def called_run(call: Call) -> Run:
    """Return the run that the path names: by its id, or as the last one of an Actor or an Actor task.

    Raises `ApiError`: there is none.
    """
    run_id = call.path_param("run_id")
    run = call.world.runs.by_id(run_id, call.username, now()) if run_id else _last_run(call)
    if run is None or (call.path_param("actor") and run.actor.id != call.actor().id):
        raise record_not_found("Actor run")
    return run


def list_runs(call: Call, *, actor_id: str | None = None, actor_task_id: str | None = None) -> Response:
    """Return OpenAPI's `ListOfRuns`, sorted by the start. Actor tasks have no filters by time."""
    params = call.params
    offset = params.integer("offset") or 0
    limit = min(params.integer("limit") or MAX_LISTED_RUNS, MAX_LISTED_RUNS)
    desc = params.flag("desc")
    statuses = params.choices("status", STATUSES) or STATUSES
    after = None if actor_task_id else params.time("startedAfter")
    before = None if actor_task_id else params.time("startedBefore")
    at = now()
    runs = [
        run
        for run in call.world.runs.listed(call.username, at, actor_id=actor_id, actor_task_id=actor_task_id)
        if run.life.status(at) in statuses
        and (after is None or run.life.created_at >= after)
        and (before is None or run.life.created_at <= before)
    ]
    ordered = reversed(runs) if desc else iter(runs)
    items = [run_short_document(run, at) for run in islice(ordered, offset, offset + limit)]
    page = {"total": len(runs), "offset": offset, "limit": limit, "desc": desc, "count": len(items), "items": items}
    return data_response(page)


def clamped_wait(secs: float | None) -> float:
    """Return how long the platform really waits."""
    return min(max(secs or 0.0, 0.0), MAX_WAIT_SECS)


async def wait_for_finish(run: Run, secs: float | None) -> None:
    """Return when the run has finished, or after the given seconds, clamped."""
    deadline = now() + clamped_wait(secs)
    while not run.life.is_finished(at := now()) and at < deadline:
        await run.wait(at, until=min(deadline, run.life.finished_at))


async def get_all_runs(call: Call) -> Response:
    return list_runs(call)


async def get_run(call: Call) -> Response:
    run = called_run(call)
    await wait_for_finish(run, call.params.number("waitForFinish"))
    return data_response(run_document(run, now()))


async def abort_run(call: Call) -> Response:
    run = called_run(call)
    call.params.boolean("gracefully")
    at = now()
    run.abort(at)
    return data_response(run_document(run, at))


async def resurrect_run(call: Call) -> Response:
    """Resurrect a run, which must have ended (OpenAPI `PostResurrectRun`)."""
    run = called_run(call)
    timeout = call.params.integer("timeout")
    at = now()
    if not run.resurrect(at, timeout):
        raise ApiError(400, "cannot-resurrect-run", "Only a run that has finished can be resurrected")
    call.world.dispatcher.resurrected(run)
    return data_response(run_document(run, at))


async def get_log(call: Call) -> Response:
    """Return the log so far; with `stream` it continues until the run ends."""
    run = _logged_run(call)
    if call.params.flag("stream"):
        return StreamingResponse(_streamed_log(run), media_type=_TEXT)
    return Response("".join(log_lines(run.life, now())), media_type=_TEXT)


def _logged_run(call: Call) -> Run:
    log_id = call.path_param("log_id")
    run = call.world.runs.by_id(log_id, call.username, now()) if log_id else called_run(call)
    if run is None:
        raise record_not_found("Log")
    return run


async def _streamed_log(run: Run) -> AsyncIterator[str]:
    sent = 0
    while True:
        at = now()
        lines = log_lines(run.life, at)
        if len(lines) > sent:
            yield "".join(lines[sent:])
            sent = len(lines)
        if run.life.is_finished(at):
            return
        await run.wait(at, until=next(change.at for change in run.life.changes if change.at > at))


def _last_run(call: Call) -> Run | None:
    """Return the last run; its parameters `status` and `origin` choose among them."""
    statuses = call.params.choices("status", STATUSES) or STATUSES
    at = now()
    if call.params.choice("origin", _ORIGINS) not in (None, ORIGIN):
        return None
    last = None
    for run in _runs_of_path(call, at):
        if run.life.status(at) in statuses:
            last = run
    return last


def _runs_of_path(call: Call, at: float) -> Iterator[Run]:
    if call.path_param("actor_task"):
        return call.world.runs.listed(call.username, at, actor_task_id=call.actor_task().id)
    return call.world.runs.listed(call.username, at, actor_id=call.actor().id)


def routes() -> list[Route]:
    by_prefix = [
        route
        for prefix in (*RUN_PREFIXES, *NESTED_RUN_PREFIXES)
        for route in (
            Route(prefix, endpoint(get_run), methods=["GET"]),
            Route(f"{prefix}/abort", endpoint(abort_run), methods=["POST"]),
        )
    ]
    resurrect = Route(f"{RUN_PREFIX}/resurrect", endpoint(resurrect_run), methods=["POST"])
    logs = [Route(f"{prefix}/log", endpoint(get_log), methods=["GET"]) for prefix in RUN_PREFIXES]
    return [
        Route("/v2/actor-runs", endpoint(get_all_runs), methods=["GET"]),
        *logs,
        *by_prefix,
        resurrect,
        Route("/v2/logs/{log_id}", endpoint(get_log), methods=["GET"]),
    ]

"""Actors and Actor tasks: what they are, and the start of their runs."""

from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from actorline.emulator.call import Call, endpoint
from actorline.emulator.clock import now
from actorline.emulator.documents import actor_document, actor_task_document, run_document
from actorline.emulator.errors import ApiError, actor_not_found
from actorline.emulator.profile import Actor, ActorTask
from actorline.emulator.request_body import Body, read_body
from actorline.emulator.responses import data_response
from actorline.emulator.routes.runs import list_runs, wait_for_finish
from actorline.emulator.runs import Run
from actorline.emulator.starts import StartRequest, start_run
from actorline.emulator.webhooks import parse_ad_hoc

ACTOR_PREFIXES: Final = ("/v2/actors/{actor}", "/v2/acts/{actor}")
"""The second one is deprecated and works (`docs/platform-facts.md#addresses`)."""

ACTOR_TASK_PREFIX: Final = "/v2/actor-tasks/{actor_task}"


async def get_actor(call: Call) -> Response:
    actor = call.actor()
    total = sum(1 for _ in call.world.runs.listed(call.username, now(), actor_id=actor.id))
    return data_response(actor_document(actor, total))


async def get_actor_task(call: Call) -> Response:
    task = call.actor_task()
    total = sum(1 for _ in call.world.runs.listed(call.username, now(), actor_task_id=task.id))
    return data_response(actor_task_document(task, actor_of(call, task).id, total))


async def actor_runs(call: Call) -> Response:
    actor = call.actor()
    if call.request.method == "POST":
        return await _start(call, actor, None)
    return list_runs(call, actor_id=actor.id)


async def actor_task_runs(call: Call) -> Response:
    task = call.actor_task()
    if call.request.method == "POST":
        return await _start(call, actor_of(call, task), task)
    return list_runs(call, actor_task_id=task.id)


async def _start(call: Call, actor: Actor, task: ActorTask | None) -> Response:
    body = await read_body(call.request)
    wait_secs = call.params.number("waitForFinish")
    run = begin_run(call, actor, task, body)
    await wait_for_finish(run, wait_secs)
    location = str(call.request.url.replace(path=f"/v2/actor-runs/{run.id}", query=""))
    return data_response(run_document(run, now()), 201, {"Location": location})


def begin_run(call: Call, actor: Actor, task: ActorTask | None, body: Body) -> Run:
    """Return a new run in the book. Raises `ApiError`: nothing was started."""
    user_agent = call.request.headers.get("user-agent")
    webhooks = parse_ad_hoc(call.params.text("webhooks"))
    run = start_run(StartRequest(call.username, actor, task, call.params, body, user_agent))
    _check_room(call, run)
    call.world.runs.add(run)
    call.world.webhooks.attach(webhooks, run)
    call.world.dispatcher.begin(run)
    return run


def _check_room(call: Call, run: Run) -> None:
    """Refuse a run for which the account has no room."""
    most_runs, most_gbytes = call.world.profile.concurrent_runs, call.world.profile.memory_gbytes
    if most_runs is None and most_gbytes is None:
        return
    active = call.world.runs.active(call.username, now())
    if most_runs is not None and len(active) >= most_runs:
        raise ApiError(402, "concurrent-runs-limit-exceeded", f"The account may have {most_runs} runs at once")
    memory_mbytes = sum(each.options.memory_mbytes for each in [*active, run])
    if most_gbytes is not None and memory_mbytes > most_gbytes * 1024:
        raise ApiError(402, "actor-memory-limit-exceeded", f"The account may use {most_gbytes} GB at once")


def actor_of(call: Call, task: ActorTask) -> Actor:
    actor = call.world.actor(task.actor, task.username)
    if actor is None:
        raise actor_not_found()
    return actor


def routes() -> list[Route]:
    actors = [
        route
        for prefix in ACTOR_PREFIXES
        for route in (
            Route(prefix, endpoint(get_actor), methods=["GET"]),
            Route(f"{prefix}/runs", endpoint(actor_runs), methods=["GET", "POST"]),
        )
    ]
    return [
        *actors,
        Route(ACTOR_TASK_PREFIX, endpoint(get_actor_task), methods=["GET"]),
        Route(f"{ACTOR_TASK_PREFIX}/runs", endpoint(actor_task_runs), methods=["GET", "POST"]),
    ]

"""The emulator's own end-points under `/emulator/`, for tests: no token, never logged, never faulty."""

import asyncio
import hashlib
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actorline.emulator.clock import now
from actorline.emulator.dataset.transforms import Transform
from actorline.emulator.errors import ApiError, invalid_value, record_not_found
from actorline.emulator.faults import FAULTS, FaultPlan
from actorline.emulator.params import Params
from actorline.emulator.profile import Actor, ActorTask, mistakes
from actorline.emulator.request_log import RequestLog
from actorline.emulator.responses import error_response, json_response
from actorline.emulator.routes.datasets import Window, item_lines
from actorline.emulator.world import World

Named = TypeVar("Named", Actor, ActorTask)

_FIELDS = TypeAdapter(dict[str, Any])


async def put_actor(request: Request) -> Response:
    """Store an Actor. The body holds the Actor's fields but username and name; an Actor that exists is replaced."""
    actor = await _named(request, Actor)
    _world(request).put_actor(actor)
    return json_response(actor.model_dump(mode="json"))


async def put_actor_task(request: Request) -> Response:
    """Store an Actor task, as `put_actor` stores an Actor."""
    task = await _named(request, ActorTask)
    _world(request).put_actor_task(task)
    return json_response(task.model_dump(mode="json"))


async def requests(request: Request) -> Response:
    log: RequestLog = request.app.state.request_log
    if request.method == "DELETE":
        log.clear()
        return Response(status_code=204)
    params = Params(request.query_params)
    return json_response(log.selected(params.text("method"), params.text("path_prefix") or ""))


async def faults(request: Request) -> Response:
    """Add a list of faults to those in force (POST), or end them all (DELETE)."""
    plan: FaultPlan = request.app.state.fault_plan
    if request.method == "DELETE":
        plan.clear()
        return Response(status_code=204)
    added = FAULTS.validate_json(await request.body())
    plan.add(added)
    return json_response(FAULTS.dump_python(added, mode="json"), 201)


async def finish_run(request: Request) -> Response:
    """End a run that goes on, as its script says that it does later."""
    run = _world(request).runs.of_any_account(request.path_params["run_id"])
    if run is None:
        raise record_not_found("Actor run")
    run.finish(now())
    return Response(status_code=204)


async def expected_items(request: Request) -> Response:
    """Return `{count, bytes, sha256}` of what `format=jsonl` holds now for `offset` and `limit`, without other
    parameters.
    """
    run = _world(request).runs.dataset_of_any_account(request.path_params["dataset_id"])
    if run is None:
        raise record_not_found("Dataset")
    start, stop = Window.of(Params(request.query_params)).bounds(run.life.items(now()))
    digest, size = hashlib.sha256(), 0
    for block in item_lines(run, start, stop, Transform()):
        digest.update(block)
        size += len(block)
        await asyncio.sleep(0)
    return json_response({"count": stop - start, "bytes": size, "sha256": digest.hexdigest()})


async def refuse_profile(_request: Request, error: Exception) -> Response:
    """Return the response to a body that isn't as the models say: 400 with the fields that are wrong."""
    if not isinstance(error, ValidationError):
        raise error
    return error_response(ApiError(400, "invalid-request", mistakes(error)))


async def _named(request: Request, model: type[Named]) -> Named:
    username, tilde, name = request.path_params["reference"].partition("~")
    if not tilde:
        raise invalid_value("reference", "username~name")
    fields = _FIELDS.validate_json(await request.body() or b"{}")
    return model.model_validate({**fields, "username": username, "name": name})


def _world(request: Request) -> World:
    world: World = request.app.state.world
    return world


def routes() -> list[Route]:
    return [
        Route("/emulator/actors/{reference}", put_actor, methods=["PUT"]),
        Route("/emulator/actor-tasks/{reference}", put_actor_task, methods=["PUT"]),
        Route("/emulator/requests", requests, methods=["GET", "DELETE"]),
        Route("/emulator/faults", faults, methods=["POST", "DELETE"]),
        Route("/emulator/runs/{run_id}/finish", finish_run, methods=["POST"]),
        Route("/emulator/datasets/{dataset_id}/expected", expected_items, methods=["GET"]),
    ]

"""The synchronous endpoints, which return what the run left: `docs/platform-facts.md#synchronous-endpoints`."""

from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from actorline.emulator.call import Call, endpoint
from actorline.emulator.clock import now
from actorline.emulator.documents import run_document
from actorline.emulator.errors import ApiError
from actorline.emulator.request_body import read_body
from actorline.emulator.responses import data_response
from actorline.emulator.routes.actors import ACTOR_PREFIXES, ACTOR_TASK_PREFIX, actor_of, begin_run
from actorline.emulator.routes.datasets import items_response
from actorline.emulator.runs import Run

CREATED: Final = 201


async def run_sync(call: Call) -> Response:
    """Run, and return the record that `outputRecordKey` names, or nothing if there is none (OpenAPI `RunSync`)."""
    run = await _run_to_its_end(call)
    if isinstance(run, Response):
        return run
    record = run.records.get(call.params.text("outputRecordKey") or "OUTPUT", run.life, now())
    return Response(record.body, CREATED, media_type=record.content_type) if record else Response(None, CREATED)


async def run_sync_get_dataset_items(call: Call) -> Response:
    """Run, and return the items as the query asks for them (OpenAPI `RunSyncGetDatasetItems`)."""
    run = await _run_to_its_end(call)
    return run if isinstance(run, Response) else items_response(call, run, CREATED)


async def _run_to_its_end(call: Call) -> Run | Response:
    """Return the run when it has succeeded; it continues if the limit passes first, or the connection is
    lost.

    Raises `ApiError`: it wasn't started, has not succeeded, or takes longer.
    """
    task = call.actor_task() if call.path_param("actor_task") else None
    run = begin_run(call, actor_of(call, task) if task else call.actor(), task, await read_body(call.request))
    script = run.life.script
    deadline = now() + script.sync_limit_secs
    while not run.life.is_finished(at := now()):
        if at >= deadline and script.sync_tells_running:
            return data_response(run_document(run, at), CREATED)
        if at >= deadline:
            raise ApiError(
                408,
                "run-timeout-exceeded",
                f"Actor run exceeded the timeout of {script.sync_limit_secs:g} seconds for this API endpoint",
            )
        await run.wait(at, until=min(deadline, run.life.finished_at))
    status = run.life.status(now())
    if status != "SUCCEEDED":
        raise ApiError(400, "run-failed", f"Actor run did not succeed (run ID: {run.id}, status: {status})")
    return run


def routes() -> list[Route]:
    return [
        Route(f"{prefix}/{name}", endpoint(handler), methods=["GET", "POST"])
        for prefix in (*ACTOR_PREFIXES, ACTOR_TASK_PREFIX)
        for name, handler in (("run-sync", run_sync), ("run-sync-get-dataset-items", run_sync_get_dataset_items))
    ]

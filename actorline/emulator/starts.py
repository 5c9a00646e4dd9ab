"""The start of a run: its options from the query, its input from the body, and what the platform refuses.

Source: `docs/platform-facts.md#start-parameters`, `docs/platform-facts.md#input`, `docs/platform-facts.md#errors`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from pydantic import ValidationError

from actorline.emulator.clock import now, whole_millis
from actorline.emulator.errors import ApiError, invalid_input, invalid_value
from actorline.emulator.ids import random_id
from actorline.emulator.life import Life
from actorline.emulator.params import Params
from actorline.emulator.profile import JSON_TYPE, Actor, ActorTask, Script, TaskOptions
from actorline.emulator.records import INPUT_KEY, Record, RecordStore
from actorline.emulator.request_body import Body, is_json_type
from actorline.emulator.runs import Run, RunOptions

EMULATE: Final = "emulate"
"""The property of a run's input that overrides fields of its script."""

MIN_MEMORY_MBYTES: Final = 128
MAX_MEMORY_MBYTES: Final = 32_768

_PERMISSION_LEVELS: Final = ("LIMITED_PERMISSIONS", "FULL_PERMISSIONS")
_ANY_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True)
class StartRequest:
    """A start as it came in; `actor_task` is set if it is one of an Actor task."""

    username: str
    actor: Actor
    actor_task: ActorTask | None
    params: Params
    body: Body
    user_agent: str | None


def start_run(request: StartRequest) -> Run:
    """Return a new run, not yet in any book.

    Raises `ApiError`: the platform would refuse it; nothing was started.
    """
    task = request.actor_task
    options = _options(request.params, request.actor, task.options if task else TaskOptions())
    record = _task_input(task, request.body) if task else _actor_input(request.body)
    script = _script(request.actor.script, record)
    if error := request.actor.start_error:
        raise ApiError(error.status, error.type, error.message)
    records = RecordStore(script)
    if record:
        records.put(INPUT_KEY, _encrypted(record, script.secret_fields))
    return Run(
        username=request.username,
        actor=request.actor,
        actor_task=task,
        options=options,
        life=Life(script, created_at=whole_millis(now()), timeout_secs=options.timeout_secs),
        user_agent=request.user_agent,
        input_bytes=len(record.body) if record else 0,
        records=records,
    )


def _options(params: Params, actor: Actor, saved: TaskOptions) -> RunOptions:
    params.boolean("restartOnError")
    params.choice("forcePermissionLevel", _PERMISSION_LEVELS)
    timeout = _first(params.integer("timeout"), saved.timeout_secs, actor.timeout_secs)
    memory = _first(params.integer("memory"), saved.memory_mbytes, actor.memory_mbytes)
    if not (MIN_MEMORY_MBYTES <= memory <= MAX_MEMORY_MBYTES and memory & (memory - 1) == 0):
        raise invalid_value("memory", f"a power of 2 from {MIN_MEMORY_MBYTES} to {MAX_MEMORY_MBYTES}")
    build = params.text("build") or saved.build or actor.build
    return RunOptions(
        build=build,
        build_number=_build_number(actor, build),
        timeout_secs=timeout,
        memory_mbytes=memory,
        max_items=_max_items(params, saved),
        max_total_charge_usd=_max_total_charge_usd(params, saved),
    )


def _max_items(params: Params, saved: TaskOptions) -> int | None:
    asked = params.number("maxItems")
    if asked is not None and asked <= 0:
        raise ApiError(400, "max-items-must-be-greater-than-zero", "maxItems must be greater than zero")
    return params.integer("maxItems") if asked is not None else saved.max_items


def _max_total_charge_usd(params: Params, saved: TaskOptions) -> float | None:
    asked = params.number("maxTotalChargeUsd")
    if asked is not None and asked <= 0:
        raise ApiError(
            400, "max-total-charge-usd-must-be-greater-than-zero", "maxTotalChargeUsd must be greater than zero"
        )
    return asked if asked is not None else saved.max_total_charge_usd


def _build_number(actor: Actor, build: str) -> str:
    if build in actor.builds:
        return actor.builds[build]
    if build in actor.builds.values():
        return build
    if build[0].isdigit():
        raise ApiError(403, "build-not-found", f'Actor build "{build}" was not found')
    raise ApiError(403, "unknown-build-tag", f'Actor build with tag "{build}" was not found')


def _actor_input(body: Body) -> Record | None:
    if not body.content:
        return None
    if body.is_json:
        body.json()
    return Record(body.content_type or _ANY_TYPE, body.content)


def _task_input(task: ActorTask, body: Body) -> Record:
    overrides: Any = {}
    if body.content:
        if not body.is_json:
            raise ApiError(
                400,
                "invalid-content-type-header",
                "The input of an Actor task must have the content type application/json",
            )
        overrides = body.json()
        if not isinstance(overrides, dict):
            raise ApiError(400, "input-json-not-object", "The input of an Actor task must be a JSON object")
    return Record(JSON_TYPE, orjson.dumps({**task.input, **overrides}))


def _encrypted(record: Record, secret_fields: Sequence[str]) -> Record:
    """Return an input as it is stored: `docs/platform-facts.md#secret-input`."""
    given = orjson.loads(record.body) if secret_fields and is_json_type(record.content_type) else None
    if not isinstance(given, dict):
        return record
    ciphers = {name: _cipher(value) for name, value in given.items() if name in secret_fields}
    return replace(record, body=orjson.dumps({**given, **ciphers}))


def _cipher(value: Any) -> str:
    return f"ENCRYPTED_{'VALUE' if isinstance(value, str) else 'JSON'}:{random_id()}"


def _script(script: Script, record: Record | None) -> Script:
    if record is None or not is_json_type(record.content_type):
        return script
    given = orjson.loads(record.body)
    if not isinstance(given, dict) or EMULATE not in given:
        return script
    try:
        return script.overridden(given[EMULATE])
    except (ValidationError, TypeError) as error:
        fields = [".".join(map(str, e["loc"])) for e in error.errors()] if isinstance(error, ValidationError) else []
        raise invalid_input(
            f'The input\'s property "{EMULATE}" is no script; wrong: {", ".join(fields) or "its type"}'
        ) from None


def _first(*choices: int | None) -> int:
    return next(choice for choice in choices if choice is not None)

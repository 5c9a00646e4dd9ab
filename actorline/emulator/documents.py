"""The platform's objects as JSON. Shapes: OpenAPI `components.schemas` of the names given."""

from typing import Any, Final

from actorline.emulator.clock import iso
from actorline.emulator.ids import stable_id
from actorline.emulator.life import TERMINAL
from actorline.emulator.profile import Actor, ActorTask
from actorline.emulator.runs import ORIGIN, Run

JsonObject = dict[str, Any]

CONSOLE_URL: Final = "https://console.apify.com"
LONG_AGO: Final = "2024-01-01T00:00:00.000Z"

_DISK_PER_MEMORY: Final = 2
_MEAN_ITEM_BYTES: Final = 300
_SHORT: Final = (
    "id",
    "actId",
    "userId",
    "actorTaskId",
    "status",
    "startedAt",
    "finishedAt",
    "buildId",
    "buildNumber",
    "usageTotalUsd",
    "defaultKeyValueStoreId",
    "defaultDatasetId",
    "defaultRequestQueueId",
)


def user_id(username: str) -> str:
    return stable_id("user", username)


def build_id(actor: Actor, build_number: str) -> str:
    return stable_id("build", f"{actor.full_name}:{build_number}")


def run_document(run: Run, now: float) -> JsonObject:
    """Build a `Run`."""
    life, script = run.life, run.life.script
    status = life.status(now)
    finished = status in TERMINAL
    exit_codes = {"SUCCEEDED": 0, "FAILED": 1}
    exit_code = exit_codes.get(status) if script.exit_code is None else script.exit_code
    usage = life.usage_usd(now - script.figures_lag_secs)
    worked = life.worked_secs(now)
    return {
        "id": run.id,
        "actId": run.actor.id,
        "userId": user_id(run.username),
        "actorTaskId": run.actor_task.id if run.actor_task else None,
        "startedAt": iso(life.created_at),
        "finishedAt": iso(life.finished_at) if finished else None,
        "status": status,
        "statusMessage": script.status_message if finished else None,
        "isStatusMessageTerminal": True if finished and script.status_message else None,
        "meta": _meta(run, hide_user_agent=script.hide_user_agent),
        "stats": {
            "inputBodyLen": run.input_bytes,
            "migrationCount": 0,
            "restartCount": 0,
            "resurrectCount": life.resurrections,
            "durationMillis": int(worked * 1000),
            "runTimeSecs": worked,
            "metamorph": 0,
            "computeUnits": worked / 3600 * run.options.memory_mbytes / 1024,
        },
        "options": {
            "build": run.options.build,
            "timeoutSecs": run.options.timeout_secs,
            "memoryMbytes": run.options.memory_mbytes,
            "diskMbytes": run.options.memory_mbytes * _DISK_PER_MEMORY,
            **_given(maxItems=run.options.max_items, maxTotalChargeUsd=run.options.max_total_charge_usd),
        },
        "buildId": build_id(run.actor, run.options.build_number),
        "buildNumber": run.options.build_number,
        "exitCode": exit_code if finished else None,
        "generalAccess": "RESTRICTED",
        "defaultKeyValueStoreId": run.key_value_store_id,
        "defaultDatasetId": run.dataset_id,
        "defaultRequestQueueId": run.request_queue_id,
        "storageIds": {
            "datasets": {"default": run.dataset_id},
            "keyValueStores": {"default": run.key_value_store_id},
            "requestQueues": {"default": run.request_queue_id},
        },
        "usageTotalUsd": usage,
        "usageUsd": {"ACTOR_COMPUTE_UNITS": usage},
        "platformUsageBillingModel": "USER",
    }


def run_short_document(run: Run, now: float) -> JsonObject:
    """Build a `RunShort`, the item of a list."""
    script = run.life.script
    whole = run_document(run, now)
    return {
        **{name: whole[name] for name in _SHORT},
        "buildNumberInt": _build_number_int(run.options.build_number),
        "meta": _meta(run, hide_user_agent=script.hide_user_agent or script.hide_user_agent_in_lists),
    }


def actor_document(actor: Actor, total_runs: int) -> JsonObject:
    """Build an `Actor`."""
    tagged = {
        tag: {
            "buildId": build_id(actor, number),
            "buildNumber": number,
            "buildNumberInt": _build_number_int(number),
            "finishedAt": LONG_AGO,
        }
        for tag, number in actor.builds.items()
    }
    return {
        "id": actor.id,
        "userId": user_id(actor.username),
        "name": actor.name,
        "username": actor.username,
        "title": actor.title,
        "description": None,
        "isPublic": True,
        "isDeprecated": False,
        "createdAt": LONG_AGO,
        "modifiedAt": LONG_AGO,
        "stats": {"totalBuilds": len(actor.builds), "totalRuns": total_runs, "totalUsers": 1},
        "versions": [
            {"versionNumber": number.rpartition(".")[0], "sourceType": "SOURCE_FILES", "buildTag": tag}
            for tag, number in actor.builds.items()
        ],
        "defaultRunOptions": {
            "build": actor.build,
            "timeoutSecs": actor.timeout_secs,
            "memoryMbytes": actor.memory_mbytes,
            "restartOnError": False,
        },
        "taggedBuilds": tagged,
    }


def actor_task_document(task: ActorTask, actor_id: str, total_runs: int) -> JsonObject:
    """Build a `Task`."""
    options = task.options
    return {
        "id": task.id,
        "userId": user_id(task.username),
        "actId": actor_id,
        "name": task.name,
        "username": task.username,
        "title": task.title,
        "createdAt": LONG_AGO,
        "modifiedAt": LONG_AGO,
        "stats": {"totalRuns": total_runs},
        "options": {
            "build": options.build,
            "timeoutSecs": options.timeout_secs,
            "memoryMbytes": options.memory_mbytes,
            "maxItems": options.max_items,
            "maxTotalChargeUsd": options.max_total_charge_usd,
            "restartOnError": options.restart_on_error,
        },
        "input": task.input,
    }


def dataset_document(run: Run, now: float) -> JsonObject:
    """Build a `Dataset`; its counters lag as the script says."""
    count = run.life.reported_items(now)
    return {
        "id": run.dataset_id,
        "name": None,
        "userId": user_id(run.username),
        "createdAt": iso(run.life.created_at),
        "modifiedAt": iso(min(now, run.life.finished_at)),
        "accessedAt": iso(now),
        "itemCount": count,
        "cleanItemCount": count - run.item_source.empty_items(count),
        "actId": run.actor.id,
        "actRunId": run.id,
        "fields": None,
        "schema": None,
        "consoleUrl": f"{CONSOLE_URL}/storage/datasets/{run.dataset_id}",
        "generalAccess": "RESTRICTED",
        "stats": {"writeCount": count, "storageBytes": count * _MEAN_ITEM_BYTES},
    }


def key_value_store_document(run: Run, now: float) -> JsonObject:
    """Build a `KeyValueStore`."""
    return {
        "id": run.key_value_store_id,
        "name": None,
        "userId": user_id(run.username),
        "username": run.username,
        "createdAt": iso(run.life.created_at),
        "modifiedAt": iso(min(now, run.life.finished_at)),
        "accessedAt": iso(now),
        "actId": run.actor.id,
        "actRunId": run.id,
        "consoleUrl": f"{CONSOLE_URL}/storage/key-value-stores/{run.key_value_store_id}",
        "generalAccess": "RESTRICTED",
        "stats": {"writeCount": len(run.records.sorted_keys(run.life, now))},
    }


def _meta(run: Run, *, hide_user_agent: bool) -> JsonObject:
    meta: JsonObject = {"origin": ORIGIN}
    return meta if hide_user_agent else {**meta, "userAgent": run.user_agent}


def _build_number_int(number: str) -> int:
    """1.2.34 is 102000034, as the platform sorts builds."""
    major, minor, patch = (int(part) for part in number.split("."))
    return major * 100_000_000 + minor * 1_000_000 + patch


def _given(**fields: Any) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}

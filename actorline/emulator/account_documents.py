"""The account's objects as JSON. Shapes: OpenAPI `components.schemas` of the names given."""

from typing import Final

from actorline.emulator.clock import iso
from actorline.emulator.documents import LONG_AGO, JsonObject, user_id
from actorline.emulator.profile import Profile
from actorline.emulator.runs import Run

_ANY_NUMBER: Final = 1_000_000
_RETENTION_DAYS: Final = 30
_FEATURES: Final = (
    "ACTORS",
    "STORAGE",
    "SCHEDULER",
    "PROXY",
    "PROXY_EXTERNAL_ACCESS",
    "PROXY_RESIDENTIAL",
    "PROXY_SERPS",
    "WEBHOOKS",
    "ACTORS_PUBLIC_ALL",
    "ACTORS_PUBLIC_DEVELOPER",
)


def user_document(username: str) -> JsonObject:
    """Build a `UserPrivateInfo`, without its secrets."""
    enabled = {
        "isEnabled": True,
        "disabledReason": None,
        "disabledReasonType": None,
        "isTrial": False,
        "trialExpirationAt": None,
    }
    return {
        "id": user_id(username),
        "username": username,
        "profile": {"name": username},
        "email": f"{username}@example.com",
        "proxy": {"password": "", "groups": []},
        "plan": {"id": "EMULATOR", "isEnabled": True, "availableProxyGroups": {}},
        "effectivePlatformFeatures": dict.fromkeys(_FEATURES, enabled),
        "createdAt": LONG_AGO,
        "isPaying": True,
    }


def limits_document(
    active: list[Run], now: float, spent_usd: float, counts: tuple[int, int], profile: Profile
) -> JsonObject:
    """Build `AccountLimits`; `active` are the runs that hold memory, `counts` the Actors and Actor tasks of the
    account.
    """
    month = iso(now)[:7]
    actors, actor_tasks = counts
    return {
        "monthlyUsageCycle": {"startAt": f"{month}-01T00:00:00.000Z", "endAt": f"{month}-28T23:59:59.999Z"},
        "limits": {
            "maxMonthlyUsageUsd": 1000,
            "maxMonthlyActorComputeUnits": 10_000,
            "maxMonthlyExternalDataTransferGbytes": 1000,
            "maxMonthlyProxySerps": 0,
            "maxMonthlyResidentialProxyGbytes": 0,
            "maxActorMemoryGbytes": profile.memory_gbytes or _ANY_NUMBER,
            "maxActorCount": 500,
            "maxActorTaskCount": 5000,
            "maxConcurrentActorJobs": profile.concurrent_runs or _ANY_NUMBER,
            "maxTeamAccountSeatCount": 1,
            "dataRetentionDays": _RETENTION_DAYS,
        },
        "current": {
            "monthlyUsageUsd": spent_usd,
            "monthlyActorComputeUnits": 0,
            "monthlyExternalDataTransferGbytes": 0,
            "monthlyProxySerps": 0,
            "monthlyResidentialProxyGbytes": 0,
            "actorMemoryGbytes": sum(run.options.memory_mbytes for run in active) / 1024,
            "actorCount": actors,
            "actorTaskCount": actor_tasks,
            "activeActorJobCount": len(active),
            "teamAccountSeatCount": 1,
        },
    }

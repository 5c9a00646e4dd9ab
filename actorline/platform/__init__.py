"""The Apify platform over HTTP.

`Platform` is the client; the functions beside it take one and return what the platform describes.
All of them raise only the classes of `errors` for what happens on the wire.
"""

from actorline.platform.actors import Actor, ActorTask, get_actor, get_actor_task, safe_id
from actorline.platform.client import Platform
from actorline.platform.clock import moment_ago, platform_time
from actorline.platform.datasets import Dataset, ItemsPage, get_dataset, open_items
from actorline.platform.errors import (
    AuthFailed,
    CapacityExceeded,
    Forbidden,
    InvalidRequest,
    NotFound,
    PlatformError,
    PlatformUnavailable,
    RateLimited,
    classify,
)
from actorline.platform.key_value_stores import Record, RecordKey, list_keys, open_record
from actorline.platform.runs import (
    TERMINAL_STATUSES,
    Run,
    RunSummary,
    abort_run,
    get_log_tail,
    get_run,
    list_runs,
    resurrect_run,
    wait_for_run,
)
from actorline.platform.users import AccountLimits, User, get_limits, get_me
from actorline.platform.webhooks import Receiver, RunEvent, Webhook, create_webhook, delete_webhook, get_webhook

__all__ = [
    "TERMINAL_STATUSES",
    "AccountLimits",
    "Actor",
    "ActorTask",
    "AuthFailed",
    "CapacityExceeded",
    "Dataset",
    "Forbidden",
    "InvalidRequest",
    "ItemsPage",
    "NotFound",
    "Platform",
    "PlatformError",
    "PlatformUnavailable",
    "RateLimited",
    "Receiver",
    "Record",
    "RecordKey",
    "Run",
    "RunEvent",
    "RunSummary",
    "User",
    "Webhook",
    "abort_run",
    "classify",
    "create_webhook",
    "delete_webhook",
    "get_actor",
    "get_actor_task",
    "get_dataset",
    "get_limits",
    "get_log_tail",
    "get_me",
    "get_run",
    "get_webhook",
    "list_keys",
    "list_runs",
    "moment_ago",
    "open_items",
    "open_record",
    "platform_time",
    "resurrect_run",
    "safe_id",
    "wait_for_run",
]

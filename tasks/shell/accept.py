"""How a worker takes an order: it is registered, or refused, or tried again; the caller is answered at the end."""

from collections.abc import Callable
from typing import Any

import redis
import structlog
from celery import Task
from celery.worker import state as worker_state
from kombu.exceptions import OperationalError
from pydantic import BaseModel

from actorline.errors import JobRefused, Overloaded, Refused, Unavailable
from actorline.identifiers import JobKey
from actorline.jobs.job_key import shown_key
from config.json_messages import typed_as_text
from tasks.cancel import ask_to_cancel
from tasks.shell.order_request import KEPT
from tasks.shell.stage_request import end_here
from tasks.shell.try_again import try_again

log = structlog.get_logger(__name__)


def accept(
    task: "Task[Any, Any]",
    document: Any,
    register: Callable[[Any], JobKey],
    refused: Callable[[JobKey, Refused | Overloaded], BaseModel],
) -> str:
    """Register an order and keep its caller, whose result comes at the end, under this task's id.

    `register`: returns the key; `refused`: the result of an order that is refused. Raises JobRefused.
    """
    try:
        key = register(typed_as_text(document))
    except (Refused, Overloaded) as error:
        named = shown_key(document.get("key") if isinstance(document, dict) else None)
        raise JobRefused(refused(named, error).model_dump_json()) from None
    except (Unavailable, redis.RedisError, OperationalError) as error:  # the caller must not see it as its job's end
        log.warning("order_waits", error=type(error).__name__)
        try_again(task, error)
    if task.request.id in worker_state.revoked:  # revoked before its id was in the ledger
        ask_to_cancel(key, request=f"revoked {task.request.id}")
    return end_here(task, KEPT)

"""Queues, and the tasks of each. Tasks are routed by name; Celery's default queue is not ours."""

from collections.abc import Collection, Mapping
from typing import Final

CONTROL_TASKS: Final = (
    "start_run",
    "poll_run",
    "look_at_fleet",
    "answer",
    "upkeep",
    "sweep",
    "look_again",
    "settle",
    "hook",
    "abort_stray",
    "advance_batch",
)
FETCH_TASKS: Final = ("fetch_ahead", "fetch_pages", "fetch_page", "finish_job", "notify", "store_batch")
ENTRANCE_TASKS: Final = ("run", "batch", "cancel", "retry", "status")


def entrance_queue(namespace: str) -> str:
    return namespace


def control_queue(namespace: str) -> str:
    """Return the queue of tasks with one HTTP call, under a second each: they never wait behind a download."""
    return f"{namespace}.control"


def fetch_queue(namespace: str) -> str:
    return f"{namespace}.fetch"


def queues_of(kind: str, namespace: str) -> list[str]:
    """Return the queues that a kind of worker consumes."""
    control = [entrance_queue(namespace), control_queue(namespace)]
    return {"control": control, "fetch": [fetch_queue(namespace)], "all": [*control, fetch_queue(namespace)]}[kind]


def queue_kinds(namespace: str) -> dict[str, str]:
    """Return kind, as metrics name it -> queue."""
    return {"doors": entrance_queue(namespace), "control": control_queue(namespace), "fetch": fetch_queue(namespace)}


def kinds_of(queues: Collection[str], namespace: str) -> list[str]:
    """Return the kinds of these queues."""
    return [kind for kind, queue in queue_kinds(namespace).items() if queue in queues]


def routes(namespace: str) -> Mapping[str, Mapping[str, str]]:
    return {
        f"actorline.{task}": {"queue": queue}
        for tasks, queue in (
            (CONTROL_TASKS, control_queue(namespace)),
            (FETCH_TASKS, fetch_queue(namespace)),
            (ENTRANCE_TASKS, entrance_queue(namespace)),
        )
        for task in tasks
    }

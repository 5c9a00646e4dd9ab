"""The tasks of each queue. Tasks are routed by name; Celery's default queue is not ours."""

from collections.abc import Collection, Mapping
from typing import Final

from actorline.queue_names import control_queue, entrance_queue, fetch_queue, queue_kinds

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


def queues_of(kind: str, namespace: str) -> list[str]:
    """Return the queues that a kind of worker consumes."""
    control = [entrance_queue(namespace), control_queue(namespace)]
    return {"control": control, "fetch": [fetch_queue(namespace)], "all": [*control, fetch_queue(namespace)]}[kind]


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

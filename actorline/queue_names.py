"""The names of the queues: whoever sends a message, consumes a queue or counts what waits in it has them from here."""

from collections.abc import Mapping


def entrance_queue(namespace: str) -> str:
    return namespace


def control_queue(namespace: str) -> str:
    """Return the queue of tasks with one HTTP call, under a second each: they never wait behind a download."""
    return f"{namespace}.control"


def fetch_queue(namespace: str) -> str:
    return f"{namespace}.fetch"


def queue_kinds(namespace: str) -> Mapping[str, str]:
    """Return kind, as metrics name it -> queue."""
    return {"doors": entrance_queue(namespace), "control": control_queue(namespace), "fetch": fetch_queue(namespace)}

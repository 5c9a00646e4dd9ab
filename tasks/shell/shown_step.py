"""What Flower shows of a step that has no message of its own: the same as if it had one, but only while Flower listens.

The ids that it shows are remembered as the job's, so that revoking them in Flower cancels it.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from celery import Task
from celery.utils import uuid
from celery.utils.saferepr import saferepr

from actorline.errors import JobCancelled
from actorline.identifiers import JobKey, TaskId
from tasks.shell.environment import ledger

RESULT_MAX_CHARS: Final = 1024  # as Celery shows results
REVOKED: Final = {"terminated": False, "signum": None, "expired": False}  # grey in Flower: nothing failed


class Listeners:
    """Whoever receives events, such as Flower. `dispatcher`: the worker's own; a child process must not use it."""

    dispatcher: Any = None

    def send(self, event: str, **fields: Any) -> None:
        if self.are_there:
            self.dispatcher.send(event, **fields)

    @property
    def are_there(self) -> bool:
        """Return whether somebody listens to the events of tasks (`worker_send_task_events`, or Flower asked)."""
        events = self.dispatcher
        if events is None or not events.enabled or events.pid != os.getpid():
            return False
        return not events.groups or "task" in events.groups


listeners = Listeners()


@contextmanager
def shown(task: "Task[Any, Any]", name: str, key: JobKey, args: str) -> Iterator[None]:
    """Show what runs inside as the task `actorline.{name}`, which ends as a stage does: handed on, whatever became."""
    if not listeners.are_there:
        yield
        return
    task_id, began = uuid(), time.monotonic()
    ledger().callers.name_tasks(key, {TaskId(task_id): name})
    parent: dict[str, Any] = {"root_id": task.request.root_id, "parent_id": task.request.id}
    listeners.send("task-received", uuid=task_id, name=f"actorline.{name}", args=args, kwargs="{}", retries=0, **parent)
    listeners.send("task-started", uuid=task_id)
    try:
        yield
    finally:
        listeners.send("task-succeeded", uuid=task_id, result="'handed on'", runtime=time.monotonic() - began)


def show_order_ended(task_id: TaskId, name: str, args: str, outcome: Any) -> None:
    """Show what became of an order, as the task `name` with its caller's id. `outcome`: what its caller gets."""
    if not listeners.are_there:
        return
    order = {"uuid": task_id, "name": name, "args": args, "kwargs": "{}"}
    if isinstance(outcome, JobCancelled):
        listeners.send("task-revoked", **order, **REVOKED)
    elif isinstance(outcome, Exception):
        listeners.send("task-failed", **order, exception=saferepr(outcome), traceback="")
    else:
        listeners.send("task-succeeded", **order, result=saferepr(outcome, RESULT_MAX_CHARS), runtime=None)

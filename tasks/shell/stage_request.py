"""How a task with no successor ends: it returns, and Flower and events show what became of it.

`Ignore` and `Retry` say the same to Celery, which formats a traceback twice for each of them: a sixth of the CPU of a
small job, whose stages all end like this.
"""

from typing import Any, Final

from celery import Task

from tasks.shell.message_times import TimedRequest

HANDED_ON: Final = "handed on"
RETRIED: Final = "again"


def end_here(task: "Task[Any, Any]", how: str) -> str:
    """Return what the task returns so that no result is stored and nothing follows: no chain, callback or chord."""
    request: Any = task.request
    request.update(chain=None, callbacks=None, errbacks=None, chord=None, ignore_result=True)
    return how


class StageRequest(TimedRequest):
    """A stage that is repeated under its id is shown as retried, one that was replaced by the next as ended."""

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 - Celery's name
        if type == "task-succeeded" and fields["result"] == repr(RETRIED):
            super().send_event("task-retried", exception="Retry()", traceback="")
            return
        super().send_event(type, **fields)

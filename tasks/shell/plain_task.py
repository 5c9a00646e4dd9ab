"""Celery's task, as our classes inherit it: celery-types declares it generic, which Celery's own class isn't."""

from typing import TYPE_CHECKING, Any

from celery import Task

from tasks.shell.message_times import TimedRequest

if TYPE_CHECKING:

    class PlainTask(Task[Any, Any]):
        Request: Any

else:
    PlainTask = Task


class TimedTask(PlainTask):
    abstract = True
    Request = TimedRequest

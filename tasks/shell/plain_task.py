"""Celery's task, as our classes inherit it: celery-types declares it generic, which Celery's own class isn't."""

from typing import TYPE_CHECKING, Any

from celery import Task

if TYPE_CHECKING:

    class PlainTask(Task[Any, Any]):
        Request: Any

else:
    PlainTask = Task

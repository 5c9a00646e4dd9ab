"""The base of all our tasks: the times of each message are Redis's.

celery-types declares Celery's class generic, which it isn't.
"""

from typing import TYPE_CHECKING, Any

from celery import Task

from tasks.shell.message_times import TimedRequest

if TYPE_CHECKING:

    class _Task(Task[Any, Any]):
        Request: Any

else:
    _Task = Task


class PlainTask(_Task):
    abstract = True
    Request = TimedRequest

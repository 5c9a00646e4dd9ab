"""An entrance that can't do what it was asked yet sends its message again, unseen by its caller."""

from typing import Any, Final, NoReturn

from celery import Task
from celery.exceptions import Reject

TRY_AGAIN_SECS: Final = 5.0


def try_again(task: "Task[Any, Any]", error: Exception, *, seconds: float = TRY_AGAIN_SECS) -> NoReturn:
    """Send the task's message again after `seconds`. Raises Retry.

    Raises Reject where the broker doesn't take that message: then the present one goes back. Celery's own retry would
    drop it there, and tell the caller that its task has failed.
    """
    try:
        raise task.retry(countdown=seconds) from error
    except Reject:
        raise Reject(requeue=True) from error

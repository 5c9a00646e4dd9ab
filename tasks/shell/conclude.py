"""Translate a step of the domain for Celery: only a stage that moved the job returns."""

from typing import Any, assert_never

from celery import Task
from celery.exceptions import Ignore

from actorline.identifiers import JobKey
from actorline.jobs.step import Ended, Moved, Park, Step, Stop, Wait
from tasks.shell.answers import end_for_callers
from tasks.shell.progress import report_to_callers
from tasks.shell.stage import again

MIN_COUNTDOWN_SECS = 0.5


def conclude(task: "Task[Any, Any]", key: JobKey, step: Step, *, late_s: float = 0.0) -> None:
    """Return if the next stage may run; otherwise raise Ignore or the retry, which stop it."""
    match step:
        case Moved():
            report_to_callers(key)
        case Wait():
            report_to_callers(key)
            raise again(task, max(step.seconds - late_s, step.at_least_s, MIN_COUNTDOWN_SECS))
        case Park():
            report_to_callers(key)
            raise Ignore
        case Ended():
            end_for_callers(key)
            raise Ignore
        case Stop():
            raise Ignore
        case _:
            assert_never(step)

"""`actorline.answer(key)`: the result of a caller with a continuation, under its own task id: `shell/answers.py`."""

from typing import Any

import redis
from celery import Task, shared_task, states
from celery.exceptions import Ignore

from actorline.batches.batch import BatchResult
from actorline.batches.find import result_of
from actorline.errors import JobCancelled, JobEnded
from actorline.identifiers import JobKey, TaskId
from actorline.jobs.job_result import JobResult
from actorline.jobs.states import TERMINAL
from tasks.shell.answers import has_result, is_replicated, outcome_of
from tasks.shell.environment import ledger
from tasks.shell.message_times import TimedRequest
from tasks.shell.plain_task import PlainTask
from tasks.shell.shown_step import REVOKED


class AnswerRequest(TimedRequest):
    """Shown in Flower as what became of the order, whose id and name (`shadow`) it has."""

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 - Celery's name
        if type == "task-failed" and fields["exception"].startswith(JobCancelled.__name__):
            super().send_event("task-revoked", **REVOKED)
            return
        super().send_event(type, **fields)


class AnswerTask(PlainTask):
    abstract = True
    Request = AnswerRequest
    throws = (JobEnded,)

    def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Forget a caller that ignores its result; for the others upkeep checks that the result was stored."""
        del retval, kwargs, einfo
        if status in states.READY_STATES and self.request.ignore_result:
            ledger().callers.forget(args[0], TaskId(task_id))


# a second answer must not overwrite the first one by STARTED: if it fails then, no third one is sent
@shared_task(bind=True, base=AnswerTask, name="actorline.answer", track_started=False)
def answer(self: "Task[Any, Any]", key: JobKey) -> dict[str, Any]:
    """Return or raise the job's or batch's result to its caller. An answer whose id has ended does nothing."""
    try:
        result = _unanswered(key, TaskId(str(self.request.id)))
    except redis.RedisError as error:  # not the job's end: upkeep sends the answer again
        raise Ignore from error
    if result is None:
        raise Ignore
    outcome = outcome_of(result)
    if isinstance(outcome, JobEnded):
        raise outcome
    return outcome


def _unanswered(key: JobKey, task_id: TaskId) -> JobResult | BatchResult | None:
    """Return the result that this caller waits for; None: there is none yet, or the caller has its answer."""
    result = result_of(ledger(), key)
    if result is None or result.state not in TERMINAL:
        return None
    if has_result(task_id):
        if is_replicated(task_id):
            ledger().callers.forget(key, task_id)
        return None
    return result

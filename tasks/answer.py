"""`actorline.answer(key)`: a caller's result, sent under the caller's own task id with its own continuation."""

from typing import Any

import redis
from celery import Task, shared_task, states
from celery.exceptions import Ignore

from actorline.errors import JobEnded
from actorline.identifiers import JobKey, TaskId
from actorline.jobs.job import Job, JobResult
from actorline.jobs.outcome import exception_for
from tasks.shell.environment import ledger


class AnswerTask(Task):  # type: ignore[type-arg]  # see tasks/shell/stage.py
    abstract = True
    throws = (JobEnded,)

    def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Forget a caller that ignores its result; for the others upkeep checks that the result was stored."""
        del retval, kwargs, einfo
        if status in states.READY_STATES and self.request.ignore_result:
            ledger().callers.forget(args[0], TaskId(task_id))


# a second answer must not overwrite the first one by STARTED: if it fails then, no third one is sent
@shared_task(bind=True, base=AnswerTask, name="actorline.answer", track_started=False)
def answer(self: "Task[Any, Any]", key: JobKey) -> dict[str, Any]:
    """Return or raise the job's result to its caller. An answer whose id has ended does nothing."""
    try:
        job = _unanswered(key, TaskId(str(self.request.id)), self.backend)
    except redis.RedisError as error:  # not the job's end: upkeep sends the answer again
        raise Ignore from error
    if job is None:
        raise Ignore
    result = JobResult.of(job)
    ended = exception_for(result)
    if ended is None:
        return result.model_dump(mode="json")
    raise ended(result.model_dump_json())


def _unanswered(key: JobKey, task_id: TaskId, backend: Any) -> Job | None:
    """Return the ended job that this caller waits for; None: it hasn't ended, or the caller has its answer."""
    job = ledger().load(key)
    if job is None or not job.is_terminal:
        return None
    if backend.get_state(task_id) in states.READY_STATES:
        ledger().callers.forget(key, task_id)
        return None
    return job

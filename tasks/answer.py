"""`actorline.answer(key)`: a caller's result, sent under the caller's own task id with its own continuation."""

from typing import Any

from celery import Task, shared_task, states
from celery.exceptions import Ignore

from actorline.errors import JobEnded
from actorline.jobs.job import JobResult
from actorline.jobs.outcome import exception_for
from tasks.environment import ledger


class AnswerTask(Task):  # type: ignore[type-arg]  # see tasks/stage.py
    abstract = True
    throws = (JobEnded,)

    def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """A caller that ignores its result is done; of the others upkeep makes sure that the result is there."""
        del retval, kwargs, einfo
        if status in states.READY_STATES and self.request.ignore_result:
            ledger().forget_caller(args[0], task_id)


@shared_task(bind=True, base=AnswerTask, name="actorline.answer")
def answer(self: "Task[Any, Any]", key: str) -> dict[str, Any]:
    """The job's result, returned or raised: see DESIGN, section 5. An answer whose id has ended does nothing."""
    job = ledger().load(key)
    if job is None or not job.is_terminal:
        raise Ignore
    task_id = str(self.request.id)
    if self.backend.get_state(task_id) in states.READY_STATES:
        ledger().forget_caller(key, task_id)
        raise Ignore
    result = JobResult.of(job)
    ended = exception_for(result)
    if ended is None:
        return result.model_dump(mode="json")
    raise ended(result.model_dump_json())

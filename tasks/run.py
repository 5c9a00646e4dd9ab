"""`actorline.run(document)`: accept an order. The caller is stored and answered when the job has ended."""

from typing import Any

from celery import Task, shared_task

from actorline.errors import JobRefused
from actorline.identifiers import JobKey
from actorline.jobs.job_result import JobResult
from actorline.jobs.sender import FROM_CELERY
from actorline.jobs.states import State
from actorline.orders.submit import SubmittedJob, submit
from actorline.upkeep.decision import Stage
from tasks.shell.accept import accept
from tasks.shell.answers import answer_callers, keep_caller
from tasks.shell.canvas import send_pipeline
from tasks.shell.environment import ledger, settings
from tasks.shell.order_request import QuietTask
from tasks.shell.progress import report_progress


# no STARTED: it would be followed by PROGRESS at once, and overwrite the answer if the message comes again
@shared_task(
    bind=True, base=QuietTask, name="actorline.run", max_retries=None, throws=(JobRefused,), track_started=False
)
def run(self: "Task[Any, Any]", document: Any) -> str:
    """Register a job, or join the one that has its key. The result comes at the job's end, under this task's id.

    Raises JobRefused (nothing was started or changed) for a bad document.
    """

    def register(order: Any) -> JobKey:
        submitted = submit(
            order,
            ledger=ledger(),
            settings=settings(),
            trusted=False,
            sender=FROM_CELERY,
            caller=keep_caller(self.request),
        )
        _answer_or_send(submitted)
        return submitted.key

    return accept(self, document, register, lambda key, error: JobResult.refused(key, State.FAILED, error.reason))


def _answer_or_send(submitted: SubmittedJob) -> None:
    job, callers = ledger().load_with_callers(submitted.key)
    if job is None:
        return
    if job.is_terminal:
        ledger().agenda.make_due(job.key)
        answer_callers(job, callers)
        return
    if submitted.created:
        send_pipeline(job, Stage.START)
    report_progress(job, callers)

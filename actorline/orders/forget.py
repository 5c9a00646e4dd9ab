"""Forgetting an ended job for good: its files in the sink, its callers' results, and what the ledger knows of it."""

from collections.abc import Callable
from typing import Final

from actorline.delivery.sink import open_sink
from actorline.errors import Code, Refused
from actorline.identifiers import TaskId
from actorline.jobs.cost import settled_fields
from actorline.jobs.job import Job
from actorline.jobs.states import TERMINAL
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger

RUNS_KEPT_SECS: Final = 30 * 86_400  # a start of a later job is searched for as long as the platform is away
ForgetResult = Callable[[TaskId], None]
"""Removes a Celery task's result."""


def check_forgettable(ledger: Ledger, job: Job) -> None:
    """Raise Refused while something would be lost with the job: a run that bills, or the result of a waiting caller."""
    if not job.is_terminal:
        raise _refused(job, f"is {job.state}. Stop it first: actorline cancel {job.key}")
    if job.key in ledger.runs.strays().values():
        raise _refused(job, "has a run that is still being aborted, and that may be billing. Try again when it is over")
    if ledger.agenda.has_second_search(job.key, job.attempt):
        raise _refused(job, "had an unclear start, and workers search for its run once more. Try again in 5 minutes")
    if callers := len(ledger.callers.of(job.key)):
        raise _refused(job, f"has {callers} Celery callers without their result, which workers give them in seconds")


def forget_job(ledger: Ledger, job: Job, installation: str, forget_result: ForgetResult) -> int:
    """Remove the job and everything stored for it, and return how many files that were. Safe to repeat.

    The ledger comes last: until then the command can be given again. A delivery that the job took from another one
    (`reuse_secs`) is the other's, and stays. Raises SinkError, and Refused if the job was retried meanwhile.
    """
    ledger.change(job.key, Change(fields=settled_fields(job)), states=TERMINAL, epoch=None)
    for task_id in ledger.callers.task_ids(job.key):
        forget_result(task_id)
    files = open_sink(job.sink_url).erase(installation, job.key) if job.sink else 0
    if not ledger.retention.forget(job, runs_kept_s=RUNS_KEPT_SECS if job.document.starts_run else 0):
        raise _refused(job, f"was retried meanwhile, and {files} of its files are gone. Cancel it, and try again")
    return files


def _refused(job: Job, why: str) -> Refused:
    return Refused(Code.REQUEST_INVALID, f"The job {job.key} {why}. It is not forgotten.")

"""What a caller gets when its job has ended: the result, or one of four exceptions."""

from actorline.errors import REFUSALS, JobCancelled, JobEnded, JobExpired, JobFailed, JobRefused
from actorline.jobs.job import JobResult
from actorline.jobs.states import State


def exception_for(result: JobResult) -> type[JobEnded] | None:
    """Return the exception that a caller gets; None: the result is returned.

    A job is PARTIAL only if its document lets partial rows be delivered (`on_failure.deliver_partial`).
    """
    match result.state:
        case State.DELIVERED | State.PARTIAL:
            return None
        case State.CANCELLED:
            return JobCancelled
        case State.EXPIRED:
            return JobExpired
        case _:
            turned_down = result.reason and result.reason.code in REFUSALS and not result.reason.billed
            return JobRefused if turned_down else JobFailed

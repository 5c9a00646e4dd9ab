"""What a caller gets when its job has ended: the result, or one of four exceptions."""

from typing import Protocol

from actorline.errors import REFUSALS, JobCancelled, JobEnded, JobExpired, JobFailed, JobRefused, Reason
from actorline.jobs.states import State


class Outcome(Protocol):
    """The result of a job or a batch."""

    @property
    def state(self) -> State: ...
    @property
    def reason(self) -> Reason | None: ...


def exception_for(result: Outcome) -> type[JobEnded] | None:
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

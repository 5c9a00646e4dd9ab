"""When a stage fails again and again in the same way: from then on the job ends with a reason. Pure: no I/O."""

from typing import Final

import redis
from kombu.exceptions import OperationalError

from actorline.delivery.sink import SinkError
from actorline.errors import Code, Reason, Refused
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.json_size import fitting
from actorline.platform.errors import PlatformError, PlatformUnavailable, UnusableResponse

ALIKE_MAX: Final = 8  # with the stages' back-off some four minutes
WORDS_BYTES: Final = 300  # of an error in a reason: a result has 4 kB
OUTAGES: Final = (redis.RedisError, OperationalError, PlatformUnavailable, SinkError, OSError)
"""What passes, however long it takes; a sink that stays away ends a job by a rule of its own."""


def is_hopeless(job: Job, error: Exception, alike: int) -> bool:
    """Return whether a stage after the run has failed in the same way so often that it always would. While the run is
    alive, the job is needed to watch it.
    """
    is_outage = isinstance(error, OUTAGES) and not isinstance(error, UnusableResponse)
    return job.state is State.COLLECTING and alike >= ALIKE_MAX and not is_outage


def reason_of(job: Job, stage: str, error: Exception, alike: int) -> Reason:
    """Return why the job ends, without the text of an unforeseen error: it may hold an item."""
    words = fitting(str(error), WORDS_BYTES) if isinstance(error, PlatformError | Refused) else type(error).__name__
    message = (
        f"{stage} failed {alike} times in the same way: {words}. What is stored stays in the sink without a manifest. "
        "Retry the job when that is fixed: if its run succeeded, no other one is started."
    )
    return Reason(code=_code_of(error), message=message, platform_type=_type_of(error), billed=job.run.id is not None)


def _type_of(error: Exception) -> str | None:
    """Return the platform's own word for the error, where it has one."""
    if isinstance(error, Refused):
        return error.reason.platform_type
    return error.type if isinstance(error, PlatformError) else None


def _code_of(error: Exception) -> Code:
    """Return whose fault it is: what the platform refuses again and again isn't ours."""
    if isinstance(error, Refused):
        return error.reason.code
    return Code.PAGE_UNREADABLE if isinstance(error, PlatformError) else Code.INTERNAL

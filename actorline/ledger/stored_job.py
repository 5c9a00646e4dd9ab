"""A job as read from its hash, which a newer version may have written."""

from pydantic import ValidationError

from actorline.errors import Code, Unavailable
from actorline.identifiers import JobKey
from actorline.jobs.job import FIELDS, Job
from actorline.jobs.states import State
from actorline.logs import Logger

log = Logger(__name__)


class UnreadableJob(Unavailable):
    """A job that this version can't read; a newer one wrote it."""

    def __init__(self, key: JobKey) -> None:
        message = (
            f"The job {key} can't be read by this version of Actorline: a newer one wrote it, or its entry is damaged. "
            "Nothing was changed, and its run, if there is one, may be billing. Update this installation."
        )
        super().__init__(Code.INTERNAL, message)


def read_job(key: JobKey, values: list[str | None]) -> Job | None:
    """Return the job from the values of `FIELDS`; None: there is none. Raises UnreadableJob."""
    found = {name: value for name, value in zip(FIELDS, values, strict=True) if value}
    if "state" not in found:
        return None
    try:
        return Job.read(found)
    except ValidationError as error:
        raise UnreadableJob(key) from error


def read_job_if_possible(key: JobKey, values: list[str | None]) -> Job | None:
    """Return the job, if there is one and this version can read it; one that it can't is logged."""
    try:
        return read_job(key, values)
    except UnreadableJob:
        log.warning("job_unreadable", job_key=key)
        return None


def read_state(text: str) -> State:
    """Return a state; one that only a newer version knows counts as a live one, and loading its job says so."""
    return State(text) if text in set(State) else State.QUEUED

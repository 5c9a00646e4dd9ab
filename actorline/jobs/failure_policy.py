"""What follows a failed run by the document's `on_failure`: a resurrection, then a new run, then the job's end.

A resurrection comes first: it keeps what was paid for. An aborted run stays aborted, and one that was taken over is
never touched unless the document calls it our own.
"""

from enum import Enum, auto
from typing import Final

from actorline.jobs.groups import ChanceGroup
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.times import iso_time_of
from actorline.platform.runs import Run
from actorline.platform.statuses import RunStatus

FAILED_STATUSES: Final = frozenset({RunStatus.FAILED, RunStatus.TIMED_OUT})


LOST_MOST: Final = 3
"""How often a lost resurrection is given back: each keeps the job waiting for the settle time, about two minutes."""


class Chance(Enum):
    WAIT = auto()  # a resurrection is in progress, or its request was lost: the run will show it
    LOST = auto()  # the run should have shown it by now: nothing came of it
    RESURRECT = auto()
    NEW_RUN = auto()
    NONE = auto()


def next_chance(job: Job, run: Run, *, seen_at: float, send_by_s: float, settle_s: float) -> Chance:
    """Return what follows a run's end, as a look that began at `seen_at` shows it.

    `settle_s`: seconds after which an unseen resurrection has not happened, counted from the latest time at which it
    was sent, `send_by_s` after its announcement. It is awaited even if the run is no longer wanted: otherwise the run
    would continue unseen.
    """
    unseen = None if has_come(job, run) else job.chances.resurrection
    if unseen and seen_at < (unseen.sent_at or unseen.at + send_by_s) + settle_s:
        return Chance.WAIT
    is_unwanted = job.reason or job.stop_wish or job.state is State.ABORTING
    if run.status not in FAILED_STATUSES or is_unwanted or not job.document.may_abort:
        return Chance.NONE
    if unseen and not unseen.is_lost:
        return Chance.LOST
    policy = job.document.on_failure
    if job.chances.resurrects < policy.resurrect:
        return Chance.RESURRECT
    if job.chances.new_runs < policy.new_runs and job.document.starts_run:
        return Chance.NEW_RUN
    return Chance.NONE


def may_ask_again(chances: ChanceGroup) -> bool:
    """Return whether a lost resurrection is given back: not if the platform has said that it did it."""
    asked = chances.resurrection
    return asked is not None and not asked.is_done and chances.resurrects_lost < LOST_MOST


def has_come(job: Job, run: Run) -> bool:
    """Return whether the run shows the last requested resurrection: it is running, counts it, or has ended again."""
    asked = job.chances.resurrection
    if asked is None or not run.is_terminal:
        return True
    finished_at = iso_time_of(run.finished_at)
    return (run.stats.resurrect_count or 0) >= asked.expected or finished_at != asked.finished_at

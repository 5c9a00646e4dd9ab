"""What a failed run gets by the order's `on_failure`: a resurrection, then a new run, then its end.

A resurrection comes first: it keeps what was paid for. A run that somebody aborted stays aborted, and one that was
taken over is never touched unless the order calls it our own.
"""

from enum import Enum, auto
from typing import Final

from actorline.jobs.job import Job, iso_time
from actorline.platform.runs import Run

FAILURES: Final = frozenset({"FAILED", "TIMED-OUT"})


class Chance(Enum):
    LOOK_AGAIN = auto()  # a resurrection is under way, or was lost on the way: the run will show it
    RESURRECT = auto()
    NEW_RUN = auto()
    NONE = auto()


def next_chance(job: Job, run: Run, *, now: float, send_by_s: float, settle_s: float) -> Chance:
    """Return what comes after a run's end.

    `settle_s`: seconds after which a resurrection that isn't seen has not happened, counted from when it was sent at
    the latest, which is `send_by_s` after its announcement. It is waited for although nobody wants the run any more:
    the run would go on unseen.
    """
    asked = job.resurrection
    if asked and not has_come(job, run) and now < (asked.sent_at or asked.at + send_by_s) + settle_s:
        return Chance.LOOK_AGAIN
    if run.status not in FAILURES or job.reason or job.stop_wish or not job.document.may_abort:
        return Chance.NONE
    policy = job.document.on_failure
    if job.resurrects < policy.resurrect:
        return Chance.RESURRECT
    if job.new_runs < policy.new_runs and job.document.starts_run:
        return Chance.NEW_RUN
    return Chance.NONE


def has_come(job: Job, run: Run) -> bool:
    """Whether the run shows the resurrection that was asked for last: it goes on, counts it, or has ended anew."""
    asked = job.resurrection
    if asked is None or not run.is_terminal:
        return True
    finished_at = iso_time(run.finished_at.timestamp()) if run.finished_at else None
    return (run.stats.resurrect_count or 0) >= asked.expected or finished_at != asked.finished_at

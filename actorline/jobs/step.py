"""The result of a pipeline stage: only a stage whose own change moved the job lets the next one run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Moved:
    """This execution moved the job; the next stage may run."""


@dataclass(frozen=True)
class Wait:
    """Nothing to move yet; check again after `seconds`, less what this check was late, but not before `at_least_s`."""

    seconds: float
    at_least_s: float = 0.0


@dataclass(frozen=True)
class Park:
    """Nothing to move yet; from now on the job is watched together with others."""


@dataclass(frozen=True)
class Stop:
    """Another execution has the job, or its next step is planned in the ledger's `due`."""


@dataclass(frozen=True)
class Ended:
    """This execution ended the job; its callers may get their answers."""


Step = Moved | Wait | Park | Stop | Ended

LastStep = Stop | Ended
"""The result of what ends a job."""


class LostJob(Exception):
    """Another execution has the job, or it is no longer wanted: this execution must not act for it."""

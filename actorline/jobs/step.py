"""What a stage of the pipeline answers: only a stage whose own change moved the job lets the next one go."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Moved:
    """This execution moved the job; the next stage may run."""


@dataclass(frozen=True)
class Wait:
    """Nothing to move yet; look again after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Park:
    """Nothing to move yet; the job is watched with others from here on."""


@dataclass(frozen=True)
class Stop:
    """Somebody else has the job, or its next step is planned in the ledger's `due`."""


@dataclass(frozen=True)
class Ended:
    """This execution ended the job; its callers may be answered."""


Step = Moved | Wait | Park | Stop | Ended


class LostJobError(Exception):
    """Another execution has the job, or it isn't wanted any more: this execution must not act for it."""

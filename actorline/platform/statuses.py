"""The statuses of a run (docs/platform-facts.md#statuses)."""

from enum import StrEnum
from typing import Final


class RunStatus(StrEnum):
    """Those known today. The set is open, so fields that hold one are plain strings."""

    READY = "READY"
    RUNNING = "RUNNING"
    TIMING_OUT = "TIMING-OUT"
    ABORTING = "ABORTING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED-OUT"
    ABORTED = "ABORTED"


TERMINAL_STATUSES: Final = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.ABORTED})
"""Any other, also one the platform adds tomorrow, counts as still running."""

TRANSITIONAL_STATUSES: Final = frozenset(RunStatus) - TERMINAL_STATUSES

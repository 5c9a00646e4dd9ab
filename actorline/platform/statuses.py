"""The statuses of a run (docs/platform-facts.md#statuses)."""

from typing import Final

TERMINAL_STATUSES: Final = frozenset({"SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED"})
"""Any other, also one the platform adds tomorrow, counts as still running."""

TRANSITIONAL_STATUSES: Final = frozenset({"READY", "RUNNING", "TIMING-OUT", "ABORTING"})

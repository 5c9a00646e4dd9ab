"""How long to wait after failures: the steps of a table, whose last one stays."""

from collections.abc import Sequence


def back_off_s(steps: Sequence[float], failures: int) -> float:
    """Return the seconds to wait after so many failures before this one."""
    return steps[min(failures, len(steps) - 1)]

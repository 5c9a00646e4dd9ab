"""The platform's own time-out of a run, so that a deadline is kept even when no worker lives to keep it."""

import math
from typing import Final

MARGIN_SECS: Final = 15  # our own abort comes first, and says why


def within_deadline(own: float, left_s: float) -> dict[str, str]:
    """Return the `timeout` of a run whose own, in seconds, comes after the deadline; 0: it has none."""
    backstop = max(math.ceil(left_s), 1) + MARGIN_SECS
    return {} if 0 < own <= backstop else {"timeout": str(backstop)}

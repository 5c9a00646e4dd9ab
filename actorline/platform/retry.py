"""When a call that is safe to repeat is sent again. Policy only: the client sends and sleeps.

Why not urllib3's `Retry`: it decides before the body is read, so it lets an HTML page with status 200 pass, doesn't see
the error's type, doesn't tell how often it tried, and bounds the count but not the time (five silent attempts of 30 s).
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from actorline.platform.headers import http_date

# docs/platform-facts.md#back-off
FIRST_DELAY_S: Final = 0.5
# Four waits are 7.5 to 15 s in all: the official client's number, and long enough for a gateway to restart.
MAX_ATTEMPTS: Final = 5
# No attempt begins later than this after the first: the caller is a task that holds a worker's slot, and can come back.
RETRY_SPAN_S: Final = 20.0
# No `Retry-After` is documented, so a long one is more likely a mistake than a promise.
MAX_RETRY_AFTER_S: Final = 60.0


def next_wait(
    attempt: int, *, elapsed_s: float, retry_after_s: float | None, random: Callable[[], float]
) -> float | None:
    """Return the seconds to wait after failed attempt number `attempt` (from 1); None: give up.

    `elapsed_s` is the time since the first attempt began; `random` gives a number in [0, 1).
    """
    if attempt >= MAX_ATTEMPTS:
        return None
    backoff_s = FIRST_DELAY_S * 2 ** (attempt - 1) * (1 + random())
    wait_s = max(backoff_s, retry_after_s or 0)
    return wait_s if elapsed_s + wait_s <= RETRY_SPAN_S else None


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds from a `Retry-After` header (seconds, or an HTTP date), in [0, 60]; None if there is none to
    understand.

    Source of the two forms: RFC 9110, section 10.2.3.
    """
    if value is None:
        return None
    if re.fullmatch(r"\s*[0-9]+\s*", value):
        return min(float(value), MAX_RETRY_AFTER_S)
    due = http_date(value)
    return None if due is None else min(max((due - now).total_seconds(), 0.0), MAX_RETRY_AFTER_S)

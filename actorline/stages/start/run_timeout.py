"""The platform's own time-out of a run, so that a deadline is kept even when no worker lives to keep it."""

import math
from typing import Final

from actorline.jobs.document.job_document import JobDocument
from actorline.platform.client import Platform
from actorline.platform.errors import PlatformError
from actorline.stages.start.run_defaults import run_defaults

MARGIN_SECS: Final = 15  # our own abort comes first, and says why


def timeout_query(platform: Platform, document: JobDocument, left_s: float | None) -> dict[str, str]:
    """Return the start's `timeout` where the deadline, `left_s` from now, comes before the run's own time-out."""
    if left_s is None:
        return {}
    own = document.options.timeout_secs
    if own is None:
        own = _default_timeout(platform, document)
    backstop = max(math.ceil(left_s), 1) + MARGIN_SECS
    return {} if own is None or 0 < own <= backstop else {"timeout": str(backstop)}


def _default_timeout(platform: Platform, document: JobDocument) -> int | None:
    """Return the seconds that the Actor or Actor task sets, 0 for none; None if that can't be read: then it is left as
    it is.
    """
    try:
        return run_defaults(platform, document).timeout_secs
    except PlatformError:
        return None

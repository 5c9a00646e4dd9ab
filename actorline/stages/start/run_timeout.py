"""The `timeout` that a start is given where its job has a deadline."""

from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.within_deadline import within_deadline
from actorline.platform.client import Platform
from actorline.platform.errors import PlatformError
from actorline.stages.start.run_defaults import run_defaults


def timeout_query(platform: Platform, document: JobDocument, left_s: float | None) -> dict[str, str]:
    """Return the start's `timeout` where the deadline, `left_s` from now, comes before the run's own time-out."""
    if left_s is None:
        return {}
    own = document.options.timeout_secs
    if own is None:
        own = _default_timeout(platform, document)
    return {} if own is None else within_deadline(own, left_s)


def _default_timeout(platform: Platform, document: JobDocument) -> int | None:
    """Return the seconds that the Actor or Actor task sets, 0 for none; None if that can't be read: then it is left as
    it is.
    """
    try:
        return run_defaults(platform, document).timeout_secs
    except PlatformError:
        return None

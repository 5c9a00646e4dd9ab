"""The end of a failed run's log: what the Actor said last, without our secrets."""

from collections.abc import Sequence
from typing import Final

from actorline.identifiers import RunId
from actorline.jobs.document.secret import hide_secrets
from actorline.json_size import fitting, json_size
from actorline.logs import Logger
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.runs import get_log_tail
from actorline.settings import Settings

LINES: Final = 20
LINE_CHARS: Final = 300
REASON_BYTES: Final = 600  # of a result that has 4 kB, three sink URLs among them

log = Logger(__name__)


def read_log_end(platform: Platform, run_id: RunId, settings: Settings) -> list[str]:
    """Return the last lines, shortened; none if the log can't be read: a job's end doesn't wait for it."""
    try:
        lines = get_log_tail(platform, run_id, LINES)
    except platform_errors.PlatformError as error:
        log.warning("run_log_not_read", run_id=run_id, error=str(error))
        return []
    return [hide_secrets(line, settings)[:LINE_CHARS] for line in lines if line.strip()]


def shortened(lines: Sequence[str]) -> str | None:
    """Return as many of the last lines as fit into a reason, one after the other, and of the last one what fits."""
    kept: list[str] = []
    for line in reversed(lines):
        if json_size(" | ".join([line, *kept])) > REASON_BYTES:
            break
        kept.insert(0, line)
    if lines and not kept:
        kept = [fitting(lines[-1], REASON_BYTES)]
    return " | ".join(kept) or None

"""What lets one execution send the start of a run."""

from dataclasses import dataclass

from redis.lock import Lock

from actorline.ledger.continuity import HistoryGap
from actorline.platform.start import SendBy


@dataclass(frozen=True)
class Permit:
    """The start lease, the span within which the start must go out, and the last gap in the ledger's history."""

    lease: Lock
    send_by: SendBy
    gap: HistoryGap

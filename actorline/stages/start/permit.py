"""What lets one execution send the start of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

from actorline.identifiers import RunId
from actorline.ledger.continuity import HistoryGap
from actorline.ledger.ledger import Lease
from actorline.platform.start import SendBy


@dataclass(frozen=True)
class Permit:
    """The start lease, the span within which the start must go out, and the last gap in the ledger's history.

    `lost_runs`: the attempt's runs that the ledger had forgotten; None: the account is to be searched for them first.
    """

    lease: Lease
    send_by: SendBy
    gap: HistoryGap
    lost_runs: Sequence[RunId] | None = None

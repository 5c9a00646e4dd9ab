"""What becomes of one orphan, whatever the platform answers."""

from datetime import UTC, datetime
from unittest.mock import MagicMock

from actorline.platform.errors import PlatformUnavailable
from actorline.platform.runs import RunSummary
from actorline.upkeep.orphans import Orphan, abort_or_adopt


def test_orphan_whose_abort_is_refused_keeps_no_other_alive():
    """The sweep goes on, and comes back to it in some minutes."""
    started = datetime(2026, 1, 1, tzinfo=UTC)
    run = RunSummary.model_validate({"id": "r1", "status": "RUNNING", "actId": "a1", "startedAt": started})
    ledger, platform = MagicMock(), MagicMock()
    platform.post_data.side_effect = PlatformUnavailable("503")
    assert abort_or_adopt(ledger, platform, MagicMock(orphans="abort"), Orphan("default", run, None)) is None
    ledger.runs.count_stopped.assert_not_called()

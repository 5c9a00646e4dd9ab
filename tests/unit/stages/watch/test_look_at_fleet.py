from unittest.mock import MagicMock

import pytest

from actorline.ledger.parking import SOONER_SECS, shortest_interval
from actorline.stages.watch import look_at_fleet


@pytest.mark.parametrize(
    ("fleet", "seconds"),
    [
        ({"since": "17.5", "every:5": "9000", "every:0.5": "1", "looked": "18"}, 0.5),
        ({"since": "17.5", "every:3600": "1"}, 3600),
        ({"since": "17.5"}, SOONER_SECS),
    ],
)
def test_an_accounts_runs_are_listed_as_often_as_one_job_wants(fleet, seconds):
    assert shortest_interval(fleet) == seconds


def test_a_run_without_a_readable_status_counts_as_not_seen(monkeypatch):
    """Its job polls it by itself; the others are seen."""
    parked = MagicMock()
    parked.claim_list.return_value = 0.0
    monkeypatch.setattr(look_at_fleet, "ParkedRuns", lambda *_: parked)
    platform = MagicMock()
    odd = [{"id": "odd", "status": None}, {"id": "seen", "status": "RUNNING"}, {"status": "RUNNING"}, None]
    platform.get_data.side_effect = [{"items": odd}, {"items": []}]
    look_at_fleet.ParkedJobs(MagicMock(), MagicMock()).look("default", platform)
    assert [call.args[0] for call in parked.note_seen.call_args_list] == [{"seen": "RUNNING"}]
    parked.note_list.assert_called_once()

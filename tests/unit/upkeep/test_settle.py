from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from actorline.delivery.sink import LocalSink
from actorline.jobs.states import State
from actorline.stages.silent_sink import SilentSink
from actorline.upkeep.settle import FIGURES_GIVE_UP_SECS, secs_until_settled, settle_figures

ENDED = {"state": State.DELIVERED, "run_id": "r1", "ended_at": 10_000.0}


@pytest.mark.parametrize(
    ("fields", "after_s", "seconds"),
    [
        ({}, 4, 6),  # nothing was collected: the run ended with the job
        ({"collecting_at": 9_996.0}, 4, 2),
        ({"collecting_at": 9_000.0}, 1, 0),  # its rows took longer than figures are waited for
        ({"collecting_at": 9_000.0}, FIGURES_GIVE_UP_SECS, 0),
        ({"collecting_at": 9_000.0}, FIGURES_GIVE_UP_SECS + 1, None),
        ({"figures_settled": 1}, 4, None),
        ({"run_id": None}, 4, None),
    ],
)
def test_figures_are_given_up_some_time_after_the_jobs_end(make_job, fields, after_s, seconds):
    assert secs_until_settled(make_job(**{**ENDED, **fields}), 10_000.0 + after_s) == seconds


def test_silent_sink_of_a_manifest_is_waited_for_once(make_job, monkeypatch, hang):
    run = SimpleNamespace(id="r1", is_terminal=True, usage_total_usd=0.5, stats=None)
    monkeypatch.setattr("actorline.upkeep.settle.get_run", lambda *_: run)
    monkeypatch.setattr(LocalSink, "read", hang)
    ledger, job = Mock(), make_job(**ENDED, sink="file:///rows/k/", manifest="file:///rows/k/manifest.json")
    for _ in range(3):
        with pytest.raises(SilentSink):
            settle_figures(ledger, Mock(), job, is_last=False)
    assert hang.call_count == 1
    ledger.change.assert_not_called()

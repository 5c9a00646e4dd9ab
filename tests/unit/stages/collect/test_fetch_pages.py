from unittest.mock import Mock

import pytest

from actorline.delivery.sink import LocalSink
from actorline.jobs.states import State
from actorline.stages.collect.fetch_pages import Planner
from actorline.stages.silent_sink import SilentSink


def test_silent_sink_keeps_one_plan_of_pages(make_job, monkeypatch, hang):
    monkeypatch.setattr(LocalSink, "claim", hang)
    planner = Planner(Mock(), Mock(), Mock(), "al-test")
    for _ in range(3):
        with pytest.raises(SilentSink):  # the stage is repeated
            planner.plan(make_job(state=State.COLLECTING, sink="file:///rows/k/"), {})
    assert hang.call_count == 1
    planner.ledger.move.assert_not_called()

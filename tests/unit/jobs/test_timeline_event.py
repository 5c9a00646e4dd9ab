import logging

import pytest

from actorline.jobs.states import TERMINAL, State
from actorline.jobs.timeline_event import TimelineEvent, level_of


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_an_end_with_rows_missing_is_a_warning(state):
    is_bad = state in {State.FAILED, State.PARTIAL, State.EXPIRED}
    assert level_of(TimelineEvent.ENDED, {"state": state}) == (logging.WARNING if is_bad else logging.INFO)


def test_a_failed_stage_is_a_warning_its_beginning_is_not():
    assert level_of(TimelineEvent.STAGE_FAILED, {"stage": "poll_run"}) == logging.WARNING
    assert level_of(TimelineEvent.COLLECTING, {}) == logging.INFO

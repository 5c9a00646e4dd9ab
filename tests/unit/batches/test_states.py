"""A batch's table of states."""

import pytest

from actorline.batches.states import LIVE, TRANSITIONS, BatchEvent, sources, target
from actorline.jobs.states import TERMINAL, State


def test_each_state_of_a_batch_has_its_row():
    assert {State.QUEUED, State.WAITING, State.RUNNING} == LIVE
    assert set(TRANSITIONS) == LIVE | TERMINAL
    assert TRANSITIONS[State.DELIVERED] == {}


@pytest.mark.parametrize("event", BatchEvent)
def test_an_event_of_a_batch_is_legal_and_has_one_target(event):
    """`target` raises for an event that leads to several states."""
    assert sources(event)
    assert target(event) in TRANSITIONS


def test_a_batch_can_be_stopped_in_each_live_state():
    for state in LIVE:
        assert {State.FAILED, State.CANCELLED, State.EXPIRED} <= set(TRANSITIONS[state].values())
    for state in TERMINAL - {State.DELIVERED}:
        assert set(TRANSITIONS[state]) == {BatchEvent.RETRY, BatchEvent.RESTART}

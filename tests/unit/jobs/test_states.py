import pytest

from actorline.jobs.states import LIVE, TERMINAL, TRANSITIONS, Event, State, sources, target


def test_every_state_has_its_row():
    assert set(TRANSITIONS) == set(State)


def test_delivered_has_no_way_out_other_ends_only_on_purpose():
    assert TRANSITIONS[State.DELIVERED] == {}
    for state in TERMINAL - {State.DELIVERED}:
        assert set(TRANSITIONS[state]) == {Event.RETRY, Event.RECOLLECT}
    assert sources(Event.RETRY) == sources(Event.RECOLLECT) == TERMINAL - {State.DELIVERED}
    assert not TERMINAL & LIVE


def test_every_state_but_the_first_is_reached_from_it():
    reached = {State.QUEUED}
    while more := {to for state in reached for to in TRANSITIONS[state].values()} - reached:
        reached |= more
    assert reached == set(State)


def test_every_live_state_can_reach_every_end_without_rows():
    for state in LIVE:
        assert {State.FAILED, State.CANCELLED, State.EXPIRED} <= set(TRANSITIONS[state].values())


def test_rows_are_delivered_only_after_they_were_collected():
    assert sources(Event.DELIVER) == sources(Event.DELIVER_PARTIAL) == {State.COLLECTING}


def test_a_job_that_collects_or_aborts_never_starts_a_run():
    for state in (State.RUNNING, State.ABORTING, State.COLLECTING):
        assert Event.START not in TRANSITIONS[state]
        assert Event.RUN_KNOWN not in TRANSITIONS[state]


TARGETS = {
    Event.START: State.STARTING,
    Event.HOLD: State.WAITING,
    Event.REUSE: State.DELIVERED,
    Event.RUN_KNOWN: State.RUNNING,
    Event.ABORT: State.ABORTING,
    Event.COLLECT: State.COLLECTING,
    Event.RUN_AGAIN: State.RUNNING,
    Event.DELIVER: State.DELIVERED,
    Event.DELIVER_PARTIAL: State.PARTIAL,
    Event.FAIL: State.FAILED,
    Event.CANCEL: State.CANCELLED,
    Event.EXPIRE: State.EXPIRED,
    Event.NEW_RUN: State.QUEUED,
    Event.RETRY: State.QUEUED,
    Event.RECOLLECT: State.COLLECTING,
}


@pytest.mark.parametrize("event", Event)
def test_an_event_leads_to_the_same_state_from_everywhere(event):
    assert sources(event)
    assert target(event) == TARGETS[event]

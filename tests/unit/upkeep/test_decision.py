import pytest

from actorline.jobs.states import LIVE, TERMINAL, State
from actorline.upkeep.decision import (
    PATIENCE_MAX_SECS,
    QUEUES,
    STAGES,
    AnswerCallers,
    Postpone,
    SendAgain,
    Stage,
    decide,
)

WATCH = 40.0
SENT = 1_000.0


def test_every_live_state_has_the_stage_where_it_begins_again():
    assert set(STAGES) == LIVE
    assert set(QUEUES) == set(Stage)


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_a_job_that_has_ended_owes_only_answers(make_job, state):
    job = make_job(state=state, is_planned=True, stop_wish="cancel")
    assert decide(job, now=9e9, empty_at={"control": 8e9, "fetch": 8e9}, lost_message_s=WATCH) == AnswerCallers()


@pytest.mark.parametrize(
    ("state", "stage"),
    [
        (State.QUEUED, Stage.START),
        (State.WAITING, Stage.START),
        (State.STARTING, Stage.START),
        (State.RUNNING, Stage.POLL),
        (State.ABORTING, Stage.POLL),
        (State.COLLECTING, Stage.COLLECT),
    ],
)
def test_a_planned_step_does_not_wait_for_the_queue(make_job, state, stage):
    job = make_job(state=state, sent_at=SENT, is_planned=True)
    assert decide(job, now=SENT, empty_at={}, lost_message_s=WATCH) == SendAgain(stage)


@pytest.mark.parametrize(
    ("empty_at", "now", "lost"),
    [
        ({}, SENT + 1_000, False),  # the queue was never seen empty: the message waits in it
        ({"control": SENT - 1}, SENT + 1_000, False),  # empty before it was sent
        ({"control": SENT}, SENT + 1_000, False),
        ({"control": SENT + 1}, SENT + WATCH - 1, False),  # a worker may have it in hand
        ({"control": SENT + 1}, SENT + WATCH, True),
        ({"fetch": SENT + 1}, SENT + 1_000, False),  # the other queue
    ],
)
def test_a_message_is_lost_only_if_its_queue_ran_empty(make_job, empty_at, now, lost):
    need = decide(make_job(state=State.RUNNING, sent_at=SENT), now=now, empty_at=empty_at, lost_message_s=WATCH)
    assert need == (SendAgain(Stage.POLL) if lost else Postpone(WATCH))


@pytest.mark.parametrize("wanted", ["cancel", "expire"])
def test_a_stop_that_was_sent_is_not_sent_again_past_its_queue(make_job, wanted):
    """The message at the head of a queue that is steadily longer than the watch would be stale for ever."""
    job = make_job(state=State.RUNNING, sent_at=SENT, stop_wish=wanted)
    assert decide(job, now=SENT + 10 * WATCH, empty_at={"control": SENT - 1}, lost_message_s=WATCH) == Postpone(WATCH)


def test_a_job_in_a_long_queue_is_left_alone_ever_longer(make_job):
    waits, patience = [], None
    for _ in range(6):
        need = decide(make_job(patience=patience), now=SENT, empty_at={}, lost_message_s=WATCH)
        assert isinstance(need, Postpone)
        patience = need.seconds
        waits.append(patience)
    assert waits == [40, 80, 160, 320, PATIENCE_MAX_SECS, PATIENCE_MAX_SECS]

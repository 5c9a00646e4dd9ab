"""A batch's states, which are some of a job's, and the table of legal moves between them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from actorline.jobs.states import TERMINAL, State


class BatchEvent(StrEnum):
    BEGIN = "begin"  # its inputs are stored: members may be made
    HOLD = "hold"  # all its members wait for the same (a pause, a budget), or there is no room for more
    CONTINUE = "continue"  # one of them waits no more
    DELIVER = "deliver"
    DELIVER_PARTIAL = "deliver-partial"
    FAIL = "fail"
    CANCEL = "cancel"
    EXPIRE = "expire"
    RETRY = "retry"  # its inputs are stored: what isn't delivered runs again
    RESTART = "restart"  # they aren't: it begins again


_ENDS: Final = {
    BatchEvent.DELIVER: State.DELIVERED,
    BatchEvent.DELIVER_PARTIAL: State.PARTIAL,
    BatchEvent.FAIL: State.FAILED,
    BatchEvent.CANCEL: State.CANCELLED,
    BatchEvent.EXPIRE: State.EXPIRED,
}
_WAYS_BACK: Final = {BatchEvent.RETRY: State.RUNNING, BatchEvent.RESTART: State.QUEUED}

TRANSITIONS: Final[Mapping[State, Mapping[BatchEvent, State]]] = {
    State.QUEUED: {
        BatchEvent.BEGIN: State.RUNNING,
        BatchEvent.FAIL: State.FAILED,
        BatchEvent.CANCEL: State.CANCELLED,
        BatchEvent.EXPIRE: State.EXPIRED,
    },
    State.RUNNING: {BatchEvent.HOLD: State.WAITING, **_ENDS},
    State.WAITING: {BatchEvent.HOLD: State.WAITING, BatchEvent.CONTINUE: State.RUNNING, **_ENDS},
    State.DELIVERED: {},
    State.PARTIAL: _WAYS_BACK,
    State.FAILED: _WAYS_BACK,
    State.CANCELLED: _WAYS_BACK,
    State.EXPIRED: _WAYS_BACK,
}
LIVE: Final = frozenset(TRANSITIONS) - TERMINAL


def sources(event: BatchEvent) -> frozenset[State]:
    """Return the states in which `event` is legal."""
    return frozenset(state for state, moves in TRANSITIONS.items() if event in moves)


def target(event: BatchEvent) -> State:
    """Return the state that `event` leads to, the same from each of its sources."""
    (state,) = {moves[event] for moves in TRANSITIONS.values() if event in moves}
    return state

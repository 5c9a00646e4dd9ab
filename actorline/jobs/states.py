"""A job's states, and the table of legal moves between them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    QUEUED = "QUEUED"
    WAITING = "WAITING"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    ABORTING = "ABORTING"
    COLLECTING = "COLLECTING"
    DELIVERED = "DELIVERED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class Event(StrEnum):
    START = "start"  # an intent is on disk; a POST may follow
    HOLD = "hold"  # not now: capacity, rate, pause, an unclear start
    REUSE = "reuse"  # an earlier delivery is reused
    RUN_KNOWN = "run-known"  # the run's id is in the ledger
    COLLECT = "collect"  # the rows may be fetched
    RUN_AGAIN = "run-again"  # the run, which was seen to end, is running
    ABORT = "abort"  # the run is no longer wanted
    DELIVER = "deliver"
    DELIVER_PARTIAL = "deliver-partial"
    FAIL = "fail"
    CANCEL = "cancel"
    EXPIRE = "expire"
    NEW_RUN = "new-run"  # the run failed and the document allows another one
    RETRY = "retry"  # an ended job is retried from its start
    RECOLLECT = "recollect"  # the same, if the run is good and only rows are missing


TERMINAL: Final = frozenset({State.DELIVERED, State.PARTIAL, State.FAILED, State.CANCELLED, State.EXPIRED})
LIVE: Final = frozenset(State) - TERMINAL

_WAYS_BACK: Final = {Event.RETRY: State.QUEUED, Event.RECOLLECT: State.COLLECTING}
"""Out of an end other than DELIVERED. Separate events: a stale stage must not revive an ended job."""

_ENDS_WITHOUT_ROWS: Final = {Event.FAIL: State.FAILED, Event.CANCEL: State.CANCELLED, Event.EXPIRE: State.EXPIRED}

TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.QUEUED: {
        Event.START: State.STARTING,
        Event.HOLD: State.WAITING,
        Event.REUSE: State.DELIVERED,
        Event.RUN_KNOWN: State.RUNNING,
        Event.COLLECT: State.COLLECTING,
        **_ENDS_WITHOUT_ROWS,
    },
    State.WAITING: {
        Event.START: State.STARTING,
        Event.HOLD: State.WAITING,
        Event.REUSE: State.DELIVERED,
        Event.RUN_KNOWN: State.RUNNING,
        Event.COLLECT: State.COLLECTING,
        **_ENDS_WITHOUT_ROWS,
    },
    State.STARTING: {
        Event.START: State.STARTING,
        Event.HOLD: State.WAITING,
        Event.RUN_KNOWN: State.RUNNING,
        **_ENDS_WITHOUT_ROWS,
    },
    State.RUNNING: {
        Event.COLLECT: State.COLLECTING,
        Event.ABORT: State.ABORTING,
        Event.NEW_RUN: State.QUEUED,
        **_ENDS_WITHOUT_ROWS,
    },
    State.ABORTING: {Event.COLLECT: State.COLLECTING, **_ENDS_WITHOUT_ROWS},
    State.COLLECTING: {
        Event.DELIVER: State.DELIVERED,
        Event.DELIVER_PARTIAL: State.PARTIAL,
        Event.RUN_AGAIN: State.RUNNING,
        **_ENDS_WITHOUT_ROWS,
    },
    State.DELIVERED: {},
    State.PARTIAL: _WAYS_BACK,
    State.FAILED: _WAYS_BACK,
    State.CANCELLED: _WAYS_BACK,
    State.EXPIRED: _WAYS_BACK,
}


def sources(event: Event) -> frozenset[State]:
    """Return the states in which `event` is legal."""
    return frozenset(state for state, moves in TRANSITIONS.items() if event in moves)


def target(event: Event) -> State:
    """Return the state that `event` leads to, the same from each of its sources."""
    (state,) = {moves[event] for moves in TRANSITIONS.values() if event in moves}
    return state

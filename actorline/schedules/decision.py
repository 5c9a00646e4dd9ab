"""The next step of a schedule: a pure decision on its place, the time, and whether its last job is still running.

The first decision counts: it is stored by compare-and-set, so any number of beats make one decision per due time. An
order is decided first and placed afterwards; if a beat dies in between, the next check of any other places it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

from pydantic import BaseModel, ConfigDict

from actorline.schedules.rhythm import moment, passed_over
from actorline.schedules.schedule import Schedule

ON_TIME_SECS: Final = 600  # for a restart of beat or a failover of Redis; later than that, the due time is missed
LATE_SECS: Final = 60
REASON_MAX_CHARS: Final = 300


class SchedulePosition(BaseModel):
    """How far a schedule has come. Due times are unix seconds; `started` to `paused` are the last of their kind."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rhythm: str  # of the schedule at the last decision; "": it is disabled
    seen: int  # all due times up to here are decided
    started: int | None = None  # what became a job
    is_ordered: bool = True  # False: that job isn't in the ledger yet
    order_hash: str | None = None  # of its document, as it was when it was decided on
    waiting: int | None = None  # waits for the end of that job
    skipped: int | None = None
    skips: int = 0  # in a row
    missed: int | None = None
    paused: int | None = None
    refused: int | None = None
    reason: str | None = None  # why it was refused

    @classmethod
    def begin(cls, schedule: Schedule, now: float) -> "SchedulePosition":
        """Return the place of a new schedule: due times before a beat first saw it are never run."""
        return cls(rhythm=schedule.rhythm_text, seen=int(now))

    def begin_anew(self, schedule: Schedule, now: float) -> "SchedulePosition":
        """Return the place of a changed schedule; its job, and the due time that waits for it, stay."""
        return self.model_copy(update={"rhythm": schedule.rhythm_text, "seen": int(now)})

    def switch_off(self) -> "SchedulePosition":
        return self.model_copy(update={"rhythm": "", "waiting": None})

    @property
    def last(self) -> tuple[int, "Outcome"] | None:
        """Return the last decided due time, and its outcome."""
        outcomes = {
            Outcome.ORDERED: self.started,
            Outcome.REFUSED: self.refused,
            Outcome.WAITING: self.waiting,
            Outcome.SKIPPED: self.skipped,
            Outcome.MISSED: self.missed,
            Outcome.PAUSED: self.paused,
        }
        known = [(due, outcome) for outcome, due in outcomes.items() if due is not None]
        return max(known, key=lambda pair: (pair[0], pair[1] is Outcome.REFUSED), default=None)


class Outcome(StrEnum):
    """The outcome of a due time."""

    ORDERED = "ordered"
    WAITING = "waiting"  # for the end of the last job
    SKIPPED = "skipped"  # the last job was still running, or a newer due time replaced this one in the queue
    MISSED = "missed"  # no beat could order it in time
    PAUSED = "paused"  # the schedule was paused
    REFUSED = "refused"


@dataclass(frozen=True)
class PlaceOrder:
    """Put the job of `started` into the ledger."""

    due: int


@dataclass(frozen=True)
class Cancel:
    """Cancel the job of `started`, so that the waiting due time can start."""

    due: int


@dataclass(frozen=True)
class RecordDecision:
    """Store the decision on a due time."""

    place: SchedulePosition
    due: int
    outcome: Outcome


Step = PlaceOrder | Cancel | RecordDecision


def decide(
    schedule: Schedule,
    place: SchedulePosition,
    now: float,
    *,
    is_running: bool,
    is_stopping: bool,
    is_paused: bool = False,
) -> Step | None:
    """Return the next step; None: nothing to do yet. A pause lets due times pass, also one that waits.

    `is_running`: the job of `started` hasn't ended; `is_stopping`: it is being stopped.
    """
    if place.started is not None and not place.is_ordered:
        return PlaceOrder(place.started)
    if is_paused:
        return _let_pass(schedule, place, now)
    if place.waiting is not None and not is_running:
        return RecordDecision(_start(place, place.waiting, waiting=None), place.waiting, Outcome.ORDERED)
    due = schedule.rhythm.latest_due(moment(place.seen), moment(now))
    if due is not None:
        return _decide_due(schedule, place, due, now, is_running=is_running)
    if place.waiting is not None and schedule.overlap == "cancel_running" and not is_stopping and place.started:
        return Cancel(place.started)
    return None


def _let_pass(schedule: Schedule, place: SchedulePosition, now: float) -> RecordDecision | None:
    due = schedule.rhythm.latest_due(moment(place.seen), moment(now))
    passed = place.waiting if due is None else int(due.timestamp())
    if passed is None:
        return None
    seen = max(place.seen, passed)
    after = place.model_copy(update={"seen": seen, "waiting": None, "paused": passed})
    return RecordDecision(after, passed, Outcome.PAUSED)


def is_late(schedule: Schedule, place: SchedulePosition, now: float) -> bool:
    """Return whether a due time passed a minute ago without a decision: no beat is handling the schedule."""
    return schedule.rhythm.latest_due(moment(place.seen), moment(now - LATE_SECS)) is not None


def _decide_due(
    schedule: Schedule, before: SchedulePosition, due: datetime, now: float, *, is_running: bool
) -> RecordDecision:
    """Decide on the last of the due times that have passed: a late beat doesn't order them all at once."""
    at = int(due.timestamp())
    place = before.model_copy(update={"seen": at})
    if earlier := passed_over(schedule.rhythm, moment(before.seen), due):
        place = place.model_copy(update={"missed": int(earlier.timestamp())})
    if now - at > ON_TIME_SECS and schedule.catch_up == "none":
        return RecordDecision(place.model_copy(update={"missed": at}), at, Outcome.MISSED)
    if not is_running:
        return RecordDecision(_start(place, at), at, Outcome.ORDERED)
    match schedule.overlap:
        case "allow":
            return RecordDecision(_start(place, at), at, Outcome.ORDERED)
        case "skip":
            return RecordDecision(_skip(place, at), at, Outcome.SKIPPED)
        case "queue" | "cancel_running":
            kept = _skip(place, place.waiting) if place.waiting is not None else place
            return RecordDecision(kept.model_copy(update={"waiting": at}), at, Outcome.WAITING)
        case other:
            assert_never(other)


def _start(place: SchedulePosition, due: int, **changes: object) -> SchedulePosition:
    return place.model_copy(update={"started": due, "is_ordered": False, "skips": 0, **changes})


def _skip(place: SchedulePosition, due: int) -> SchedulePosition:
    return place.model_copy(update={"skipped": due, "skips": place.skips + 1})

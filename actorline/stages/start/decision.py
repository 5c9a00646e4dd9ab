"""What comes next in a start: a pure decision on the job, and on what this execution has found out so far.

While a fact is missing that decides, the step is to find it out. So the order in which facts are asked for is the order
of a start: is a run needed and allowed, the input, the lease, and under the lease whether there is a run already. A run
is announced only when nothing is left that could be a run of the attempt (`docs/architecture.md#paid-once`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, assert_never

from actorline.errors import Code
from actorline.identifiers import RunId
from actorline.jobs.job import Intent, Job
from actorline.jobs.states import Event, sources
from actorline.ledger.admission.pause import IS_PAUSED
from actorline.platform.datasets import Dataset
from actorline.stages.start.permit import Permit
from actorline.stages.start.run_input import RunInput
from actorline.stages.start.steps import (
    Adopt,
    Announce,
    AskForRoom,
    AskForTurn,
    AskPerson,
    CheckSink,
    Collect,
    FindDataset,
    FindDelivery,
    FindLostRuns,
    FindRun,
    Inquiry,
    Move,
    ObeyStopWish,
    PlanAgain,
    ReadInput,
    Reuse,
    Search,
    SearchAgain,
    SearchEarly,
    StartAgain,
    StartStep,
    TakeLease,
    WaitTurn,
)
from actorline.stages.start_lease import look_secs

START_STATES: Final = sources(Event.START)
OTHER_START_SECS: Final = 2.0  # another execution is starting the run: what came of it is known soon
SEARCH_AGAIN_SECS: Final = 5.0
PUT_OFF_SECS: Final = 15.0


class Turn(Enum):
    """What the account says to another start."""

    FREE = auto()
    PAUSED = auto()
    OTHERS_FIRST = auto()


@dataclass(frozen=True)
class Facts:
    """What an execution knows of a start. A field counts as soon as `known` holds the inquiry that fills it.

    `now`: unix seconds by Redis, when the execution began. `runs`: the attempt's in the ledger; read again under the
    lease. `obstacle`: the move that an inquiry leaves as the only one. `permit`: None if another execution has the
    lease. `is_late`: too much time has passed for a start to go out. `found`: runs that the platform shows, the oldest
    first. `suspects`: runs that can't be distinguished from the job's; None: the search began too early to count.
    """

    now: float
    runs: Sequence[RunId]
    send_by_s: float
    is_platform_busy: bool = False
    known: frozenset[type[Inquiry]] = frozenset()
    obstacle: Move | None = None
    delivery: Job | None = None
    turn: Turn = Turn.FREE
    dataset: Dataset | None = None
    given: RunInput | None = None
    permit: Permit | None = None
    is_late: bool = False
    found: Sequence[RunId] = ()
    suspects: Sequence[RunId] | None = None

    def knows(self, inquiry: type[Inquiry]) -> bool:
        return inquiry in self.known

    def asked(self, inquiry: Inquiry) -> "Facts":
        """Return the same facts with one more that is known."""
        return replace(self, known=self.known | {type(inquiry)})


def next_start_step(job: Job, facts: Facts) -> StartStep:
    """Return what comes next for a job that has no run yet, as far as it knows."""
    return (
        facts.obstacle
        or _before_a_run(job, facts)
        or _while_the_platform_is_busy(job, facts)
        or _use_existing(job, facts)
        or _to_the_lease(job, facts)
        or _under_the_lease(job, facts)
    )


def is_settled(intent: Intent, *, began_at: float, send_by_s: float, settle_s: float) -> bool:
    """Return whether a search that began at a time, and finds no run, may be believed: lists of runs lag."""
    sent_by = intent.sent_at or intent.at + send_by_s
    return began_at >= sent_by + settle_s


def may_be_running(job: Job, facts: Facts) -> bool:
    """Return whether a run may be billing: from an intent on nothing is refused any more, and the run is searched for
    first.
    """
    return job.intent is not None or bool(facts.runs)


def _before_a_run(job: Job, facts: Facts) -> StartStep | None:
    """Return what the job needs instead of a run, or before its start."""
    if may_be_running(job, facts):
        return None
    return _end_or_check_sink(job, facts) or (_in_turn(facts) if job.document.starts_run else None)


def _end_or_check_sink(job: Job, facts: Facts) -> StartStep | None:
    """Return what ends the job without a run, or the check of its sink."""
    if stop_wish := job.stop_wish_at(facts.now):
        return ObeyStopWish(stop_wish)
    if not facts.knows(FindDelivery):
        return FindDelivery()
    if facts.delivery:
        return Reuse(facts.delivery)
    return None if facts.knows(CheckSink) else CheckSink()


def _in_turn(facts: Facts) -> StartStep | None:
    if not facts.knows(AskForTurn):
        return AskForTurn()
    match facts.turn:
        case Turn.FREE:
            return None
        case Turn.PAUSED:
            return WaitTurn(Code.PAUSED, IS_PAUSED)
        case Turn.OTHERS_FIRST:
            return WaitTurn(Code.CAPACITY, "The account has no room for another run, and other jobs come first.")
        case _:
            assert_never(facts.turn)


def _while_the_platform_is_busy(job: Job, facts: Facts) -> StartStep | None:
    """Return what can be done while no thread is free to wait for the platform."""
    if not facts.is_platform_busy:
        return None
    if may_be_running(job, facts) or not job.document.starts_run:
        return PlanAgain(PUT_OFF_SECS)
    message = "The platform responds slowly or not at all. No run was started; the job tries again."
    return WaitTurn(Code.PLATFORM_UNAVAILABLE, message, was_refused=True)


def _use_existing(job: Job, facts: Facts) -> StartStep | None:
    """Return what comes next for a document that names a run or dataset."""
    if job.document.dataset_id:
        return Collect(facts.dataset) if facts.dataset else FindDataset(job.document.dataset_id)
    if job.document.run_id:
        return Adopt(facts.found) if facts.found else FindRun(job.document.run_id)
    return None


def _to_the_lease(job: Job, facts: Facts) -> StartStep | None:
    """Return what takes long, before the span begins in which the start is sent."""
    if facts.knows(TakeLease):
        return None
    if may_be_running(job, facts):
        return TakeLease()
    if job.document.input_url and not facts.knows(ReadInput):
        return ReadInput(job.document.input_url)
    return TakeLease() if facts.knows(AskForRoom) else AskForRoom()


def _under_the_lease(job: Job, facts: Facts) -> StartStep:
    if facts.permit is None:
        return _while_another_starts(job, facts)
    if facts.runs:
        return Adopt(facts.runs[:1])
    if job.intent:
        return _recover(job, job.intent, facts.permit, facts)
    return _start(job, facts.permit, facts)


def _while_another_starts(job: Job, facts: Facts) -> StartStep:
    """Another execution is starting the run, or died while it did: its run, if it is there, is found early."""
    if job.intent and facts.now > job.intent.at + min(look_secs(job), facts.send_by_s):
        if not facts.knows(SearchEarly):
            return SearchEarly(job.intent)
        if facts.found:
            return Adopt(facts.found, is_lost=job.document.mode == "async")
    return PlanAgain(OTHER_START_SECS)


def _recover(job: Job, intent: Intent, permit: Permit, facts: Facts) -> StartStep:
    """Return what becomes of a start whose outcome is unknown: only here may another one follow it."""
    if not facts.knows(Search):
        return Search(intent, permit)
    if facts.found:
        return Adopt(facts.found)
    if facts.suspects is None:
        return SearchAgain()
    if stop_wish := job.stop_wish_at(facts.now):
        return ObeyStopWish(stop_wish, facts.suspects)
    return AskPerson(facts.suspects) if facts.suspects else StartAgain()


def _start(job: Job, permit: Permit, facts: Facts) -> StartStep:
    """Search the account's runs first if the ledger may have lost intents, or itself; else start."""
    if not (job.fresh and job.queued_at > permit.gap.seen_at):  # else no earlier run can carry its marker
        if not facts.knows(FindLostRuns):
            return FindLostRuns(permit)
        if facts.is_late:
            return PlanAgain(0)
        if facts.found:
            return Adopt(facts.found)
    return Announce(permit, facts.given)

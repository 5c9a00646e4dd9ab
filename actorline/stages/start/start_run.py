"""The stage *start*: one job, one paid run, whatever dies on the way.

`decision.py` says what comes next, `steps.py` lists all that can. This module finds out what the decision asks for, and
lets the last step be carried out: by `post.py`, which sends the start, and by `moves.py`, which changes the ledger.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import NamedTuple, assert_never

from actorline.errors import Code
from actorline.identifiers import JobKey, RunId
from actorline.jobs.job import Intent, Job
from actorline.jobs.job_reservation import hopeless_reason, reservation_of
from actorline.jobs.step import Step
from actorline.ledger.admission.capacity_line import CapacityLine
from actorline.ledger.admission.pause import is_paused
from actorline.ledger.ledger import Ledger
from actorline.ledger.starts import begin_start
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.datasets import get_dataset
from actorline.platform.runs import get_run
from actorline.platform.start import SendBy
from actorline.settings import Settings
from actorline.shutdown import give_back_if_stopping
from actorline.stages.reuse import find_delivery
from actorline.stages.start.decision import START_STATES, Facts, Turn, next_start_step
from actorline.stages.start.delta_base import check_base
from actorline.stages.start.moves import StartMoves
from actorline.stages.start.outcomes import QUESTION_REFUSED, move_without_answer
from actorline.stages.start.outside_input import read_input
from actorline.stages.start.permit import Permit
from actorline.stages.start.post import Post
from actorline.stages.start.recovery import Recovery
from actorline.stages.start.refusal import refusal_reason
from actorline.stages.start.room import RoomForStart
from actorline.stages.start.run_input import RunInput
from actorline.stages.start.sink_claim import check_sink, claim_sink
from actorline.stages.start.steps import (
    Announce,
    AskForRoom,
    AskForTurn,
    CheckSink,
    FindDataset,
    FindDelivery,
    FindLostRuns,
    FindRun,
    Inquiry,
    Move,
    ReadInput,
    Refuse,
    Search,
    SearchEarly,
    TakeLease,
    WaitForBudget,
)
from actorline.stages.start_lease import START_LEASE_SECS


@dataclass(frozen=True)
class Starter:
    """`wake`: lets a worker care for jobs now."""

    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str
    wake: Callable[[Sequence[JobKey]], None]

    def advance(self, startable: "Startable") -> Step:
        """Take the job from QUEUED, WAITING or STARTING to its run, or to the end. Raises PlatformError and
        redis.RedisError before anything is sent.
        """
        return self._advance(startable, is_platform_busy=False)

    def put_off(self, startable: "Startable") -> Step:
        """Do what needs no platform, and plan the rest: no thread is free to wait for it."""
        return self._advance(startable, is_platform_busy=True)

    def _advance(self, startable: "Startable", *, is_platform_busy: bool) -> Step:
        job, runs = startable
        facts = Facts(self.ledger.now(), runs, self.settings.send_by_secs, is_platform_busy=is_platform_busy)
        with ExitStack() as held:
            announced: list[Intent] = []
            move = self._next_move(job, facts, held, announced)
            return StartMoves(self.ledger, self.settings, self.installation, announced).make(job, move)

    def _next_move(self, job: Job, facts: Facts, held: ExitStack, announced: list[Intent]) -> Move:
        """Find out what the start must know and send it, if nothing else comes of it; return what the job does then."""
        try:
            while isinstance(step := next_start_step(job, facts), Inquiry):
                facts = self._find_out(job, facts, step, held)
            if not isinstance(step, Announce):
                return step
            give_back_if_stopping()  # the stack may be gone afterwards, and nobody to look after the run
            return self._post.send(job, step, announced)
        except QUESTION_REFUSED as error:
            if announced:
                raise
            return move_without_answer(job, facts, error)

    def _find_out(self, job: Job, facts: Facts, asked: Inquiry, held: ExitStack) -> Facts:  # noqa: PLR0911 - a table
        """Return the facts with one more that is known. What is `held` is released when the job is left."""
        facts = facts.asked(asked)
        match asked:
            case FindDelivery():
                return replace(facts, delivery=find_delivery(self.ledger, job))
            case CheckSink():
                return replace(facts, obstacle=check_base(self.ledger, job) or check_sink(job, self.installation))
            case AskForTurn():
                turn = self._turn(job)
                return replace(facts, turn=turn, obstacle=self._over_budget(job) if turn is Turn.FREE else None)
            case FindDataset() | FindRun():
                return self._find_existing(job, facts, asked)
            case ReadInput():
                return self._read_input(job, facts, asked)
            case AskForRoom():
                return replace(facts, obstacle=RoomForStart(self.ledger, self.platform).claim(job))
            case TakeLease():
                return self._take_lease(job, facts, held)
            case FindLostRuns() | SearchEarly() | Search():
                return self._recovery.find_out(job, facts, asked)
            case _:
                assert_never(asked)

    def _turn(self, job: Job) -> Turn:
        if is_paused(self.ledger, job.document.account):
            return Turn.PAUSED
        return Turn.FREE if CapacityLine(self.ledger, job.document.account).may_try(job) else Turn.OTHERS_FIRST

    def _over_budget(self, job: Job) -> WaitForBudget | Refuse | None:
        """Return what a start without room in its budgets does instead; the intent's change decides in the end."""
        reservation = reservation_of(job, self.settings.budgets, self.ledger.now())
        if reservation is None:
            return None
        if reason := hopeless_reason(reservation):
            return Refuse(reason)
        full = self.ledger.budgets.without_room(reservation)
        return WaitForBudget(reservation, full) if full else None

    def _find_existing(self, job: Job, facts: Facts, asked: FindDataset | FindRun) -> Facts:
        """Find what the order names instead of something to start."""
        try:
            if isinstance(asked, FindRun):
                return replace(facts, found=[get_run(self.platform, asked.run_id).id])
            dataset = get_dataset(self.platform, asked.dataset_id)
        except platform_errors.NotFound as error:
            code = Code.RUN_NOT_FOUND if isinstance(asked, FindRun) else Code.DATASET_NOT_FOUND
            return replace(facts, obstacle=Refuse(refusal_reason(error, code)))
        except (platform_errors.AuthFailed, platform_errors.Forbidden) as error:
            return replace(facts, obstacle=Refuse(refusal_reason(error)))
        return replace(facts, dataset=dataset, obstacle=claim_sink(job, self.installation))

    def _read_input(self, job: Job, facts: Facts, asked: ReadInput) -> Facts:
        outcome = read_input(self.ledger, self.settings, job, asked.url, wake=self.wake)
        if isinstance(outcome, RunInput):
            return replace(facts, given=outcome)
        return replace(facts, obstacle=outcome)

    def _take_lease(self, job: Job, facts: Facts, held: ExitStack) -> Facts:
        """Take the start lease. Its last holder may have started the run, so the ledger is read again."""
        send_by = SendBy(self.settings.send_by_secs)
        unknown_s = self.settings.start_lookback_secs
        begun = begin_start(self.ledger, job, lease_s=START_LEASE_SECS, unknown_s=unknown_s)
        if begun is None:
            return facts
        held.callback(begun.lease.release)
        return replace(facts, runs=begun.runs, permit=Permit(begun.lease, send_by, begun.gap, begun.lost_runs))

    @property
    def _recovery(self) -> Recovery:
        return Recovery(self.ledger, self.platform, self.settings, self.installation)

    @property
    def _post(self) -> Post:
        return Post(self.ledger, self.platform, self.settings, self.installation)


class Startable(NamedTuple):
    """A job that is to be started, and the runs of its attempt that the ledger knows."""

    job: Job
    runs: Sequence[RunId]


def load_startable(ledger: Ledger, key: JobKey, epoch: int) -> Startable | None:
    """Return the job if it is still to be started by this epoch."""
    job, runs = ledger.load_with_runs(key)
    return Startable(job, runs) if job is not None and job.epoch == epoch and job.state in START_STATES else None

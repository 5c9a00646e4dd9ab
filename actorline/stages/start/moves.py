"""The moves of a start, carried out: the ledger's changes with which an execution leaves the job."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

import redis

from actorline.back_off import back_off_s
from actorline.errors import Code, Reason
from actorline.identifiers import RunId
from actorline.jobs.fields import NOW, JobFields
from actorline.jobs.job import Intent, Job
from actorline.jobs.job_reservation import reservation_of, waiting_text, waits_until
from actorline.jobs.states import Event, sources
from actorline.jobs.step import Ended, Moved, Step, Stop
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.admission.capacity_line import CapacityLine, place_of
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.platform.datasets import Dataset
from actorline.settings import Settings
from actorline.stages.ending import STOP_EVENTS, end_job, stop_reason
from actorline.stages.reuse import reuse
from actorline.stages.start.decision import SEARCH_AGAIN_SECS, START_STATES
from actorline.stages.start.search import name_suspects
from actorline.stages.start.sink_claim import release_sink
from actorline.stages.start.steps import (
    Adopt,
    AskPerson,
    Collect,
    End,
    Hold,
    Move,
    ObeyStopWish,
    PlanAgain,
    Refuse,
    Reuse,
    RunStarted,
    SearchAgain,
    StartAgain,
    StepBack,
    TryLater,
    Unclear,
    WaitForBudget,
    WaitTurn,
)
from actorline.stages.start.sync import poll_now

log = Logger(__name__)

START_HOLD_SECS: Final = (5.0, 10.0, 20.0, 40.0, 60.0)  # what is in the way passes within minutes; a try costs one call
# Between starts that came to nothing, in further settle times (2 minutes): each may have gone on to the platform after
# all, and an outage doesn't end sooner for being asked.
START_AGAIN_SETTLE_TIMES: Final = (0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
LINE_CARE_SECS: Final = 60.0  # until a job that its worker's death kept from the line is looked at


def start_hold_s(failures: int) -> float:
    return back_off_s(START_HOLD_SECS, failures)


@dataclass(frozen=True)
class StartMoves:
    """`announced`: the intent that this execution has written, if it has."""

    ledger: Ledger
    settings: Settings
    installation: str
    announced: Sequence[Intent] = ()

    def make(self, job: Job, move: Move) -> Step:
        if isinstance(move, Hold):
            self._wait(job, move)
            return Stop()
        if isinstance(move, End):
            step = self._end(job, move)
            self._line(job).leave(job)
            return step
        match move:
            case RunStarted():
                return self._begin(job, move.run_id)
            case Adopt():
                return self._adopt(job, move)
            case Collect():
                return self._collect(job, move.dataset)
            case StepBack():
                return Stop()
            case _:
                assert_never(move)

    # -- the job ends

    def _end(self, job: Job, end: End) -> Step:
        match end:
            case Reuse():
                return reuse(self.ledger, job, end.earlier)
            case Refuse():
                return self._end_without_run(job, Event.FAIL, end.reason)
            case ObeyStopWish(suspects=[], doubt=""):
                return self._end_without_run(job, STOP_EVENTS[end.stop_wish], stop_reason(job, end.stop_wish))
            case ObeyStopWish():
                return end_job(self.ledger, job, STOP_EVENTS[end.stop_wish], _unsure_reason(job, end))
            case _:
                assert_never(end)

    def _end_without_run(self, job: Job, event: Event, reason: Reason) -> Step:
        """End a job that has no run, and give back the folder that it has claimed."""
        step = end_job(self.ledger, job, event, reason)
        if isinstance(step, Ended):
            release_sink(job, self.installation)
        else:
            self._take_back(job)
        return step

    # -- it has what the next stage needs

    def _begin(self, job: Job, run_id: RunId) -> Step:
        step = self._keep(job, run_id, found=False)
        self._line(job).leave(job, started=True)
        if isinstance(step, Stop) and job.document.mode == "sync":
            poll_now(self.ledger, job)
        return step

    def _adopt(self, job: Job, move: Adopt) -> Step:
        first, *others = move.run_ids
        self._count_in_budgets(job)
        step = self._keep(job, first, found=move.is_lost)
        for other in others:
            self._keep(job, other, found=True)  # not the job's run any more: a stray, which upkeep aborts
        return step

    def _count_in_budgets(self, job: Job) -> None:
        """Let a run whose start the ledger has forgotten count in its budgets, whatever room they have."""
        reservation = reservation_of(job, self.settings.budgets, self.ledger.now())
        is_counted = job.reservation is not None and job.reservation.attempt == job.attempt
        if reservation and not is_counted:
            counted = Change(fields={"reservation": reservation.without_limits()})
            self.ledger.change(job.key, counted, states=START_STATES, epoch=job.epoch)

    def _keep(self, job: Job, run_id: RunId, *, found: bool) -> Step:
        """Write the run id until it is written: it is the only handle on something that costs money."""
        while True:
            try:
                won = self.ledger.runs.record(
                    job.key,
                    job.attempt,
                    job.epoch,
                    run_id,
                    states=sources(Event.RUN_KNOWN),
                    due_in_s=self.settings.lost_message_secs,
                    found=found,
                )
            except redis.RedisError as error:
                log.warning("run_id_not_written", run_id=run_id, error=type(error).__name__)
                time.sleep(1)
            else:
                return Moved() if won else Stop()

    def _collect(self, job: Job, dataset: Dataset) -> Step:
        moved = self.ledger.move(
            job,
            Event.COLLECT,
            Change(
                due_in_s=self.settings.lost_message_secs,
                event=TimelineEvent.COLLECTING,
                data={"dataset_id": dataset.id},
                fields={
                    "dataset_id": dataset.id,
                    "items_total": dataset.item_count,
                    "collecting_at": NOW,
                    "sent_at": NOW,
                    "failures": 0,
                },
            ),
        )
        return Moved() if moved else Stop()

    # -- it waits

    def _wait(self, job: Job, wait: Hold) -> None:
        match wait:
            case WaitTurn():
                self._stand_in_line(job, wait)
            case WaitForBudget():
                self._wait_for_budget(job, wait)
            case TryLater():
                self._try_later(job, wait)
            case PlanAgain():
                self._plan(job, wait.seconds, wait.event, wait.message)
            case StartAgain():
                self._start_again(job)
            case Unclear():
                sent = wait.intent.model_copy(update={"sent_at": self.ledger.now()})
                seconds = 0 if self.ledger.webhooks.hinted_run(job.key) else SEARCH_AGAIN_SECS
                data = {"message": f"{wait.why}; searching for the run"}
                self._hold(job, seconds, TimelineEvent.START_UNCLEAR, data, {"intent": sent, "waiting_for": None})
            case SearchAgain():
                self._hold(job, SEARCH_AGAIN_SECS)
            case AskPerson():
                self._ask_person(job, wait)
            case _:
                assert_never(wait)

    def _stand_in_line(self, job: Job, wait: WaitTurn) -> None:
        """Wait in the account's line until the job is called. Logged once."""
        event = None if job.waiting_for == wait.code else TimelineEvent.WAITING
        data = {"code": wait.code, "message": wait.message}
        if self._hold(job, LINE_CARE_SECS, event, data, {"intent": None, "waiting_for": wait.code}):
            self._line(job).enter(job, was_refused=wait.was_refused, is_full=wait.is_full)
        if wait.needs_less:
            self._line(job).call_behind(job)

    def _wait_for_budget(self, job: Job, wait: WaitForBudget) -> None:
        """Wait in the budget's line until upkeep finds room for the run. Logged once."""
        is_known = job.waiting_for == Code.BUDGET
        data = {"code": Code.BUDGET, "message": waiting_text(wait.reservation, wait.full)}
        fields: JobFields = {
            "intent": None,
            "waiting_for": Code.BUDGET,
            "waiting_until": waits_until(wait.full),
        }
        if self._hold(job, LINE_CARE_SECS, None if is_known else TimelineEvent.WAITING, data, fields):
            self.ledger.budgets.enter(
                wait.full[0].budget, job.key, epoch=job.epoch, place=place_of(job), deadline_at=job.deadline_at
            )

    def _try_later(self, job: Job, wait: TryLater) -> None:
        seconds = max(start_hold_s(job.failures), wait.at_least_s or 0)
        fields: JobFields = {"intent": None, "waiting_for": wait.reason.code, "failures": job.failures + 1}
        if wait.input_failed:
            fields["input_failures"] = job.input_failures + 1
        data = {"code": wait.reason.code, "message": wait.reason.message, "seconds": seconds}
        self._hold(job, seconds, TimelineEvent.WAITING, data, fields)

    def _start_again(self, job: Job) -> None:
        """Let another start go out: at once after the first two that came to nothing, then ever later."""
        seconds = self.settings.start_settle_secs * back_off_s(START_AGAIN_SETTLE_TIMES, job.unclear_starts)
        number = job.unclear_starts + 1
        message = "the platform has no run with our marker; starting again"
        fields: JobFields = {"intent": None, "unclear_starts": number}
        if not seconds:
            self._plan(job, 0, TimelineEvent.START_NOT_FOUND, message, fields)
            return
        message = f"{message} in {seconds:g} s, after {number} starts that came to nothing"
        waiting: JobFields = {
            "is_planned": True,
            "waiting_for": Code.PLATFORM_UNAVAILABLE,
            "waiting_since": NOW,
            "waiting_until": self.ledger.now() + seconds,
        }
        held = Change(
            due_in_s=seconds,
            event=TimelineEvent.START_NOT_FOUND,
            data={"message": message},
            fields={**fields, **waiting},
        )
        self.ledger.move(job, Event.HOLD, held)

    def _ask_person(self, job: Job, ask: AskPerson) -> None:
        """Hold the job and ask a person, which is logged once."""
        doubt = ask.doubt or name_suspects(ask.suspects)
        message = f"{doubt} No second run is started; a person must decide: cancel the job, or wait."
        is_known = job.waiting_for == Code.START_UNCLEAR
        if not is_known:
            log.error("start_unclear", job_key=job.key, suspects=ask.suspects, doubt=ask.doubt)
        data = {"code": Code.START_UNCLEAR, "message": message}
        event = None if is_known else TimelineEvent.START_UNCLEAR
        self._hold(job, START_HOLD_SECS[-1], event, data, {"waiting_for": Code.START_UNCLEAR})

    def _hold(
        self,
        job: Job,
        seconds: float,
        event: TimelineEvent | None = None,
        data: Mapping[str, object] | None = None,
        fields: JobFields | None = None,
    ) -> bool:
        """Make the job WAITING, and due after some seconds."""
        code = (fields or {}).get("waiting_for")
        begins: JobFields = {"waiting_until": None} if code else {}
        if code and (code != job.waiting_for or job.waiting_since is None):
            begins["waiting_since"] = NOW
        elif code and self.announced:  # which has taken it away
            begins["waiting_since"] = job.waiting_since
        fields = {"is_planned": True, **begins, **(fields or {})}
        held = Change(due_in_s=seconds, event=event, data=data or {}, fields=fields)
        takes_back = "intent" in fields and fields["intent"] is None
        if not takes_back:
            return self.ledger.move(job, Event.HOLD, held)
        # an intent that is taken back is our own: another execution may have announced a start meanwhile
        known: Sequence[Intent | None] = (*self.announced, None)
        if any(self.ledger.move(job, Event.HOLD, replace(held, guards={"intent": intent})) for intent in known):
            return True
        self._take_back(job)
        return False

    def _take_back(self, job: Job) -> None:
        """Take our own intent back, for nothing came of it: the job has another epoch by now, since it is to stop, for
        example, and would search for the run.
        """
        for intent in self.announced:
            change = Change(guards={"intent": intent}, fields={"intent": None})
            self.ledger.change(job.key, change, states=START_STATES, epoch=None)

    def _plan(
        self, job: Job, seconds: float, event: TimelineEvent | None, message: str, fields: JobFields | None = None
    ) -> None:
        """Let the stage begin again with a lease of its own and time to send, in whatever state the job is."""
        self.ledger.change(
            job.key,
            Change(
                due_in_s=seconds,
                event=event,
                data={"message": message} if message else {},
                fields={"is_planned": True, **(fields or {})},
            ),
            states=START_STATES,
            epoch=job.epoch,
        )

    def _line(self, job: Job) -> CapacityLine:
        return CapacityLine(self.ledger, job.document.account)


def _unsure_reason(job: Job, end: ObeyStopWish) -> Reason:
    reason = stop_reason(job, end.stop_wish, may_have_run=True)
    doubt = end.doubt or f"{name_suspects(end.suspects)} If one is, it may still be running: see the console."
    message = f"{reason.message} {doubt}"
    return Reason(code=reason.code, message=message, billed=reason.billed)

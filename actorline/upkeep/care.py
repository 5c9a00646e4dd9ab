"""Carries out what one job needs now, as `decision.py` says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, assert_never

from actorline.batches.batch import Batch, load_batch
from actorline.delivery.sink import LocalSink, SinkError, open_sink
from actorline.identifiers import JobKey
from actorline.jobs.cost import settled_fields
from actorline.jobs.job import Job
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.tally import empty_at
from actorline.ledger.stored_job import UnreadableJob
from actorline.logs import Logger
from actorline.notify.notice import NOTICE_AGAIN_SECS, secs_until_notice
from actorline.stages.silent_sink import soon
from actorline.upkeep.decision import AnswerCallers, Postpone, SendAgain, decide
from actorline.upkeep.outbox import Outbox
from actorline.upkeep.settle import secs_until_settled

ANSWER_AGAIN_SECS: Final = 15.0
SETTLE_AGAIN_SECS: Final = 20.0
SETTLED_AT_ONCE: Final = 25  # a request each
FAILED_AGAIN_SECS: Final = 60.0
UNREADABLE_AGAIN_SECS: Final = 10.0  # a worker of the version that wrote it may take care of it

log = Logger(__name__)


@dataclass(frozen=True)
class Care:
    """Safe to repeat for any job at any time. `lost_message_s`: after that a message may be taken for lost."""

    ledger: Ledger
    installation: str
    outbox: Outbox
    lost_message_s: float

    def for_all(self, keys: Iterable[JobKey]) -> None:
        """Do what each job needs now; a failure of one must not stop the others."""
        to_settle: list[JobKey] = []
        for key in keys:
            try:
                to_settle += self._do(key)
            except UnreadableJob as error:
                log.error("job_unreadable", job_key=key, message=str(error))  # noqa: TRY400 - foreseeable: no traceback
                self.ledger.agenda.postpone(key, UNREADABLE_AGAIN_SECS)
            except Exception:
                log.exception("job_not_cared_for", job_key=key)
                self.ledger.agenda.postpone(key, FAILED_AGAIN_SECS)
        self._settle(to_settle)

    def for_job(self, key: JobKey) -> None:
        """Do what the job needs now."""
        self._settle(self._do(key))

    def _settle(self, keys: Sequence[JobKey]) -> None:
        """Have the final cost and stats of some jobs read: one message for many."""
        for start in range(0, len(keys), SETTLED_AT_ONCE):
            self.outbox.send("settle", *keys[start : start + SETTLED_AT_ONCE])

    def _do(self, key: JobKey) -> Sequence[JobKey]:
        """Do what the job needs now but for its figures; return it if these are due."""
        job = self.ledger.load(key)
        if job is None:
            self.ledger.agenda.drop("due", key)
            self.for_batch(key)
            return ()
        need = decide(job, now=self.ledger.now(), empty_at=empty_at(self.ledger), lost_message_s=self.lost_message_s)
        match need:
            case SendAgain(stage=stage):
                self.outbox.send_pipeline(job, stage)
            case Postpone(seconds=seconds):
                self.ledger.change(key, Change(due_in_s=seconds, fields={"patience": seconds}), epoch=job.epoch)
            case AnswerCallers():
                return self._close(job)
            case _:
                assert_never(need)
        return ()

    def for_batches(self, keys: Iterable[JobKey]) -> None:
        """Do what each batch needs now; a failure of one must not stop the others, nor the rest of a sweep."""
        for key in keys:
            try:
                self.for_batch(key)
            except UnreadableJob as error:
                log.error("unreadable_batch", batch_key=key, message=str(error))  # noqa: TRY400 - foreseeable
            except Exception:
                log.exception("batch_not_cared_for", batch_key=key)

    def for_batch(self, key: JobKey) -> None:
        """Do what a batch needs now: the message that takes it on, or its callers' answers."""
        batch = load_batch(self.ledger, key)
        if batch is None:
            self.ledger.agenda.drop("batch_due", key)
        elif not batch.is_terminal:
            self.outbox.send_batch(key)
        else:
            checks = (self._answer_callers(batch), self._notify_of_batch(batch))
            self._plan_batch(key, min((seconds for seconds in checks if seconds is not None), default=None))

    def _notify_of_batch(self, batch: Batch) -> float | None:
        """Have the notice of the batch's end sent if it is due, and return seconds until the next check."""
        seconds = secs_until_notice(batch.document.notify, batch.notice, batch.ended_at, self.ledger.now())
        if seconds == 0:
            self.outbox.send("notify", batch.key)
            return NOTICE_AGAIN_SECS
        return seconds

    def _plan_batch(self, key: JobKey, seconds: float | None) -> None:
        if seconds is None:
            self.ledger.agenda.drop("batch_due", key)
        else:
            self.ledger.agenda.move("batch_due", [key], self.ledger.now() + seconds)

    def _close(self, job: Job) -> Sequence[JobKey]:
        """Give an ended job's callers and listeners what is still theirs, and remove what it no longer needs. Return it
        if its figures are due.
        """
        self._drop_leftovers(job)
        figures_in_s = self._secs_until_figures(job)
        checks = (
            self._answer_callers(job),
            SETTLE_AGAIN_SECS if figures_in_s == 0 else figures_in_s,
            self.outbox.send_notices(job),
        )
        next_check_s = min((seconds for seconds in checks if seconds is not None), default=None)
        self.ledger.change(job.key, Change(due_in_s=next_check_s), states=TERMINAL, epoch=None)
        self._sweep_sink(job)  # last: while its sink is waited for, no other upkeep takes the job
        return [job.key] if figures_in_s == 0 else ()

    def _answer_callers(self, ended: Job | Batch) -> float | None:
        """Give each unanswered caller its answer, and forget those whose result is in the backend.

        Return seconds until the next check.
        """
        open_callers = 0
        for task_id, caller in self.ledger.callers.of(ended.key).items():
            if self.outbox.is_answered(task_id):
                self.ledger.callers.forget(ended.key, task_id)
                continue
            open_callers += 1
            self.outbox.answer_caller(ended, task_id, caller)
        return ANSWER_AGAIN_SECS if open_callers else None

    def _secs_until_figures(self, job: Job) -> float | None:
        """Return seconds until the final cost and stats may be read, if they are to be read."""
        seconds = secs_until_settled(job, self.ledger.now())
        if seconds is None and job.awaits_figures:  # given up
            self.ledger.change(job.key, Change(fields=settled_fields(job)), states=TERMINAL, epoch=None)
        return seconds

    def _sweep_sink(self, job: Job) -> None:
        """Remove what killed workers left in the ended job's folder, which no later stage opens.

        Not in an object store: it may not respond for minutes, during which other jobs would have no upkeep.
        """
        try:
            sink = open_sink(job.sink_url)
            if isinstance(sink, LocalSink):
                soon(job.sink_url, partial(sink.sweep, self.installation, job.key))
        except SinkError as error:
            log.warning("sink_not_swept", job_key=job.key, error=str(error))

    def _drop_leftovers(self, job: Job) -> None:
        """Remove the ids of the ended job's stages, and an input that no retry can use."""
        self.ledger.callers.name_tasks(job.key, {}, drop_stale=True)
        if job.state is State.DELIVERED:
            self.ledger.retention.forget_input(job.key)

"""Runs the schedules: reads the book, takes each schedule's next step, and says when to check again.

A step's order goes into the ledger first; then a worker is notified. The process may die at any line: decisions are in
the book, and the next check, by this beat or another, continues from there.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, assert_never

import redis

from actorline.batches.batch import Batch, load_batch_if_possible
from actorline.batches.document import parse_batch
from actorline.batches.find import cancel_any, load_any
from actorline.batches.inputs.listed import listed_inputs
from actorline.batches.submit import SubmittedBatch, submit_batch
from actorline.errors import Code, Refused, Unavailable
from actorline.identifiers import JobKey
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job import Job
from actorline.jobs.sender import Sender
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.faults import describe_fault
from actorline.ledger.ledger import Ledger
from actorline.ledger.stored_job import UnreadableJob
from actorline.logs import Logger
from actorline.orders.submit import SubmittedJob, submit
from actorline.schedules.book import Book, BookEntry, Reading
from actorline.schedules.decision import (
    REASON_MAX_CHARS,
    Cancel,
    Outcome,
    PlaceOrder,
    RecordDecision,
    SchedulePosition,
    Step,
    decide,
)
from actorline.schedules.rhythm import moment
from actorline.schedules.schedule import Schedule, due_key
from actorline.schedules.template import iso_utc
from actorline.settings import Settings

CLOCK_LOOK_SECS: Final = 5.0  # at least this often, to notice a clock that was set, or a changed place in the book
SOON_SECS: Final = 1.0  # while waiting for the end of a job, or for Redis
_AT_ONCE_SECS: Final = 0.0
SENDER: Final = Sender("beat")

log = Logger(__name__)


class Keeper:
    """One beat's view of the schedules. `beat`: its name; `wake`: has a worker check the job of a key."""

    def __init__(
        self,
        schedules: Mapping[str, Schedule],
        ledger: Ledger,
        settings: Settings,
        *,
        beat: str,
        wake: Callable[[JobKey], None],
    ) -> None:
        self._schedules = {name: schedule for name, schedule in schedules.items() if schedule.enabled}
        self._ledger, self._settings = ledger, settings
        self._book = Book(ledger)
        self._beat, self._wake = beat, wake
        self._has_begun = False
        self._is_waiting = False  # for Redis, which was logged

    def look(self) -> float:
        """Take every schedule's next step, and return seconds until the next check."""
        try:
            reading = self._book.read()
            self._book.note_beat(self._beat, reading.now)
            if not self._has_begun:
                self._begin(reading)
                self._has_begun = True
                return _AT_ONCE_SECS
            wait = self._look_after_all(reading)
        except (redis.RedisError, Unavailable) as error:
            if not self._is_waiting:
                message = describe_fault(error) if isinstance(error, redis.RedisError) else str(error)
                log.warning("schedules_wait", message=message)
            self._is_waiting = True
            return SOON_SECS
        self._is_waiting = False
        return wait

    def leave(self) -> None:
        """Record that this beat has stopped; if Redis is down, that shows after half a minute."""
        try:
            self._book.forget_beat(self._beat)
        except redis.RedisError as error:
            log.warning("beat_not_forgotten", message=describe_fault(error))

    def _begin(self, reading: Reading) -> None:
        """Update the book with schedules that are new, have another rhythm, or are disabled."""
        for name, schedule in self._schedules.items():
            entry = reading.entries.get(name)
            if entry is None:
                self._book.keep(name, None, SchedulePosition.begin(schedule, reading.now))
            elif entry.place.rhythm != schedule.rhythm_text:
                self._book.keep(name, entry, entry.place.begin_anew(schedule, reading.now))
        for name, entry in reading.entries.items():
            if name not in self._schedules and entry.place.rhythm:
                self._book.keep(name, entry, entry.place.switch_off())

    def _look_after_all(self, reading: Reading) -> float:
        jobs = self._last_jobs(reading)
        waits = [self._look_after_one(name, reading, jobs.get(name)) for name in self._schedules]
        return min([CLOCK_LOOK_SECS, *waits])

    def _look_after_one(self, name: str, reading: Reading, job: Job | Batch | None) -> float:
        try:
            return self._look_after(name, reading, job)
        except UnreadableJob as error:  # it has the key of this due time
            log.warning("schedule_waits", schedule=name, message=str(error))
            return CLOCK_LOOK_SECS
        except (redis.RedisError, Unavailable):
            raise
        except Exception:  # one failing schedule must not stop the others
            log.exception("schedule_not_looked_after", schedule=name)
            return CLOCK_LOOK_SECS

    def _last_jobs(self, reading: Reading) -> dict[str, Job | Batch]:
        keys = {
            name: due_key(name, moment(entry.place.started))
            for name, entry in reading.entries.items()
            if name in self._schedules
            and entry.place.started is not None
            and entry.place.started != entry.place.refused  # the job with its key is not ours
        }
        found = zip(keys, self._ledger.load_many(list(keys.values())), strict=True)
        batches = (
            (name, load_batch_if_possible(self._ledger, key)) for name, key in keys.items() if self._is_batch(name)
        )
        return {name: job for name, job in (*found, *batches) if job}

    def _is_batch(self, name: str) -> bool:
        return self._schedules[name].batch is not None

    def _look_after(self, name: str, reading: Reading, job: Job | Batch | None) -> float:
        """Take one schedule's next step, and return seconds until its next check."""
        schedule, entry = self._schedules[name], reading.entries.get(name)
        if entry is None:  # the book was lost since this beat started
            self._book.keep(name, None, SchedulePosition.begin(schedule, reading.now))
            return _AT_ONCE_SECS
        is_running = job is not None and not job.is_terminal
        is_stopping = job is not None and (job.stop_wish is not None or job.reason is not None)
        pause = reading.pauses.get(name)
        is_paused = pause is not None and pause.counts(schedule.on_guard)
        step = decide(
            schedule, entry.place, reading.now, is_running=is_running, is_stopping=is_stopping, is_paused=is_paused
        )
        if step is not None:
            self._take(name, entry, step, job)
            return _AT_ONCE_SECS
        if entry.place.waiting is not None:
            return SOON_SECS
        following = schedule.rhythm.next_due(moment(reading.now))
        return CLOCK_LOOK_SECS if following is None else max(following.timestamp() - reading.now, 0.001)

    def _take(self, name: str, entry: BookEntry, step: Step, job: Job | Batch | None) -> None:
        match step:
            case PlaceOrder(due=due):
                self._order(name, entry, due)
            case Cancel(due=due):
                key = due_key(name, moment(due))
                request = f"overlap {job.retries if job else 0}"  # the same for all beats
                if cancel_any(self._ledger, key, sender=SENDER, request=request):
                    self._wake(key)
                    log.info("schedule_cancels", schedule=name, job_key=key)
            case RecordDecision():
                if self._book.keep(name, entry, self._decided(name, step)):
                    self._log_change(name, step)
            case other:
                assert_never(other)

    def _decided(self, name: str, change: RecordDecision) -> SchedulePosition:
        """Return the place to store; an order's has its document's hash, by which beat recognizes the job."""
        if change.outcome is not Outcome.ORDERED or change.place.started is None:
            return change.place
        try:
            order_hash = self._hash_of(name, self._schedules[name].order(name, moment(change.place.started)))
        except Refused:  # the order will be refused too, with its reason
            return change.place
        return change.place.model_copy(update={"order_hash": order_hash})

    def _hash_of(self, name: str, order: Any) -> str:
        if not self._is_batch(name):
            return parse_document(order).body_hash
        document = parse_batch(order)
        return document.body_hash(listed_inputs(document) or ())

    def _submit(self, name: str, order: Any) -> SubmittedJob | SubmittedBatch:
        send: Any = submit_batch if self._is_batch(name) else submit
        submitted: SubmittedJob | SubmittedBatch = send(
            order, ledger=self._ledger, settings=self._settings, trusted=True, sender=SENDER
        )
        return submitted

    def _order(self, name: str, entry: BookEntry, due: int) -> None:
        """Place the order. Safe to repeat, by any number of beats: the key is the job."""
        order = self._schedules[name].order(name, moment(due))
        key, place = order["key"], entry.place.model_copy(update={"is_ordered": True})
        try:
            submitted = self._submit(name, order)
        except Refused as refused:
            log.error("schedule_refused", job_key=key, message=str(refused))  # noqa: TRY400 - foreseeable: no traceback
            if refused.reason.code != Code.CONFLICT or not self._is_ours(key, entry.place):
                reason = str(refused)[:REASON_MAX_CHARS]
                place = place.model_copy(update={"refused": due, "reason": reason})
        else:
            log.info("schedule_ordered", job_key=key, created=submitted.created)
            if submitted.created:
                self._wake(key)
        self._book.keep(name, entry, place)

    def _is_ours(self, key: JobKey, place: SchedulePosition) -> bool:
        """Return whether a beat ordered the existing job, with the document of an earlier version of the file."""
        job = load_any(self._ledger, key)
        if job is not None and job.document_hash == place.order_hash:
            return True
        log.error(
            "schedule_key_taken",
            job_key=key,
            message="A job that no beat ordered has the key of this due time. The schedule's own order was not placed; "
            "nothing was started for it. See who ordered the job (actorline show), and order the due time by hand.",
        )
        return False

    def _log_change(self, name: str, change: RecordDecision) -> None:
        due, place = moment(change.due), change.place
        if change.outcome is Outcome.ORDERED:
            return  # logged when it is in the ledger
        log.info("schedule_decided", schedule=name, due=iso_utc(due), outcome=change.outcome)
        if change.outcome is Outcome.SKIPPED and place.skips == 1 and place.started is not None:
            running = due_key(name, moment(place.started))
            self._ledger.timeline.add(running, TimelineEvent.SCHEDULE_SKIPS, due=due_key(name, due))

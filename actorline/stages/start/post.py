"""The one POST of a start: its intent on Redis's disk first, then the request, then what became of it."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from actorline.budgets.reservation import Reservation
from actorline.identifiers import ExecutionToken, RunId
from actorline.jobs.fields import JobFields
from actorline.jobs.job import Intent, Job
from actorline.jobs.job_reservation import reservation_of
from actorline.jobs.states import Event
from actorline.jobs.step import LostJob
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.admission.account_room import AccountRoom
from actorline.ledger.change import Change
from actorline.ledger.continuity import HistoryGap, write_beat
from actorline.ledger.durability import NotDurable
from actorline.ledger.ledger import Ledger
from actorline.ledger.starts import announce_start
from actorline.platform.client import Platform
from actorline.platform.errors import CapacityExceeded, PlatformError
from actorline.platform.marker import make_marker
from actorline.platform.start import StartDeferred, StartRequest, start_run
from actorline.settings import Settings
from actorline.stages.start.limits import read_limits
from actorline.stages.start.memory_limit import beyond_the_account
from actorline.stages.start.outcomes import NO_MEMORY, START_FAILURES, Failure, move_after
from actorline.stages.start.permit import Permit
from actorline.stages.start.run_input import RunInput, own_input
from actorline.stages.start.run_timeout import timeout_query
from actorline.stages.start.steps import Announce, Move, Refuse, RunStarted
from actorline.stages.start.sync import SyncFlow
from actorline.stages.start_lease import START_LEASE_SECS, holding_on, look_secs
from actorline.webhooks.receiver import webhooks_query


@dataclass(frozen=True)
class Post:
    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str

    def send(self, job: Job, step: Announce, announced: list[Intent]) -> Move:
        """Send the start, once, and return what the job does next. Raises PlatformError and redis.RedisError before
        anything is sent. `announced`: gets the intent, before it is written.
        """
        permit, sha256 = step.permit, step.given.digest() if step.given else None

        def announce() -> None:
            self._announce(job, permit, sha256, announced)

        try:
            given = step.given or own_input(self.ledger, job, self.settings, self.platform)
            with holding_on(self.ledger, job, permit.lease, postpones_due=job.document.mode == "async"):
                run_id = self._send(job, given, permit, announce)
        except START_FAILURES as failure:
            if isinstance(failure, StartDeferred) and isinstance(failure.error, CapacityExceeded):
                AccountRoom(self.ledger, job.document.account).forget()
            return self._hopeless(job, failure) or move_after(failure, announced, self.settings)
        return RunStarted(run_id)

    def _hopeless(self, job: Job, failure: Failure) -> Refuse | None:
        """Return the end of a job whose run wants more memory than its account may ever use."""
        refused = failure.error if isinstance(failure, StartDeferred) else None
        if not isinstance(refused, CapacityExceeded) or refused.type != NO_MEMORY:
            return None
        try:
            most = read_limits(self.ledger, self.platform, job.document.account).left.most_memory_mbytes
        except PlatformError:
            return None
        reason = beyond_the_account(self.platform, job.document, refused, most)
        return Refuse(reason) if reason else None

    def write_beat(self) -> HistoryGap:
        return write_beat(self.ledger, unknown_s=self.settings.start_lookback_secs)

    def _send(self, job: Job, given: RunInput, permit: Permit, announce: Callable[[], None]) -> RunId:
        """Return the run's id."""
        document, marker = job.document, self._marker(job)
        left_s = job.deadline_at - self.ledger.now() if job.deadline_at else None
        timeout = timeout_query(self.platform, document, left_s)
        query = {**document.query(), **timeout, **webhooks_query(self.ledger, self.settings, marker)}
        request = StartRequest(document.actor, document.actor_task, given.body, query, marker, given.content_type)
        if document.mode == "sync":
            flow, execution = SyncFlow(self.ledger, self.platform, self.settings), ExecutionToken(secrets.token_hex(8))
            return flow.run(job, request, send_by=permit.send_by, announce=announce, execution=execution)
        return start_run(self.platform, request, send_by=permit.send_by, announce=announce)

    def _announce(self, job: Job, permit: Permit, input_sha256: str | None, announced: list[Intent]) -> None:
        """Write the intent, on disk: from here on a run may exist. Raises LockError, NotDurable, LostJob,
        OverBudget.
        """
        announce_start(self.ledger, job, permit.lease, lease_s=START_LEASE_SECS)
        intent = Intent(attempt=job.attempt, marker=self._marker(job), at=self.ledger.now(), input_sha256=input_sha256)
        announced.append(intent)
        self._write(job, intent, reservation_of(job, self.settings.budgets, intent.at))
        if self.write_beat() != permit.gap:
            raise NotDurable("Redis was replaced while the start was being written")

    def _write(self, job: Job, intent: Intent, reservation: Reservation | None) -> None:
        """Write the intent with its reservation: neither is there without the other. Raises LostJob, OverBudget."""
        reserved: JobFields = {"reservation": reservation, "waiting_since": None, "waiting_until": None}
        announced = Change(
            due_in_s=look_secs(job),
            guards={"intent": None, "stop_wish": None},
            on_disk=True,
            event=TimelineEvent.STARTING,
            data={"attempt": job.attempt},
            fields={"intent": intent, "is_planned": job.document.mode == "sync", **reserved},
        )
        if not self.ledger.move(job, Event.START, announced):
            raise LostJob

    def _marker(self, job: Job) -> str:
        return make_marker(self.installation, job.key, job.attempt)

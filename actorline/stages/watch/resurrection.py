"""Resurrecting a failed run, under the guards of a start: lease, intent on disk, a span within which it is sent.

It is asked for once, and judged by what the run shows afterwards. If that is nothing for as long as an unclear start
is searched for, it is given back, and asked for again. One that isn't seen stays known until a later check.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from redis.exceptions import LockError
from redis.lock import Lock

from actorline.jobs.cost import known_cost
from actorline.jobs.failure_policy import has_come, may_ask_again
from actorline.jobs.fields import NOW, JobFields
from actorline.jobs.groups import Resurrection
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.step import LostJob, Step, Stop, Wait
from actorline.jobs.timeline_event import TimelineEvent
from actorline.jobs.times import iso_time_of
from actorline.jobs.within_deadline import within_deadline
from actorline.ledger.change import Change
from actorline.ledger.durability import NotDurable
from actorline.ledger.ledger import Lease, Ledger
from actorline.platform.client import Platform
from actorline.platform.errors import asked_wait_s
from actorline.platform.resurrection import resurrect_run
from actorline.platform.runs import Run
from actorline.platform.start import SendBy, StartDeferred, StartRefused, StartUnclear
from actorline.settings import Settings
from actorline.stages.start_lease import START_LEASE_SECS, holding_on

CAPACITY_SECS: Final = 20.0  # capacity comes back within minutes


@dataclass(frozen=True)
class Resurrector:
    ledger: Ledger
    platform: Platform
    settings: Settings

    def resurrect(self, job: Job, run: Run) -> Step:
        """Set the run going again. What a lost reply hides, the next poll sees: the run is running, or counts it."""
        every = job.document.poll_interval_secs
        send_by = SendBy(self.settings.send_by_secs)
        lease = self._lease(job)
        if not lease.acquire():  # another execution is asking for it
            return self._note(job, None, {}, wait=Wait(every))
        try:
            with holding_on(self.ledger, job, lease):
                return self._send(job, run, send_by, lease)
        finally:
            lease.release()

    def give_up(self, job: Job) -> Step:
        """Note that nothing came of the last resurrection, and give the chance back if it may be asked for again."""
        every = job.document.poll_interval_secs
        lease = self._lease(job)
        if not lease.acquire():  # its request is still under way
            return self._note(job, None, {}, wait=Wait(every))
        try:
            chances, asked = job.chances, job.chances.resurrection
            fields: JobFields = {"resurrection": asked and asked.model_copy(update={"is_lost": True})}
            if is_again := may_ask_again(chances):
                fields |= {"resurrects": chances.resurrects - 1, "resurrects_lost": chances.resurrects_lost + 1}
            event, data = TimelineEvent.RESURRECTION_LOST, {"again": is_again}
            return self._note(job, event, data, wait=Wait(every), guards={"resurrection": asked}, fields=fields)
        finally:
            lease.release()

    def note_done(self, job: Job, run: Run) -> Job:
        """Say in the timeline, once, that the run shows the resurrection that was asked for."""
        asked = job.chances.resurrection
        if asked is None or asked.is_done or not has_come(job, run):
            return job
        done = asked.model_copy(update={"is_done": True})
        said = Change(guards={"resurrection": asked}, event=TimelineEvent.RESURRECTED, fields={"resurrection": done})
        self.ledger.change(job.key, said, states={State.RUNNING, State.ABORTING}, epoch=job.epoch)
        return job.model_copy(update={"chances": job.chances.model_copy(update={"resurrection": done})})

    def _lease(self, job: Job) -> Lease:
        return self.ledger.lease("start", job.key, seconds=START_LEASE_SECS)

    def _send(self, job: Job, run: Run, send_by: SendBy, lease: Lock) -> Step:
        every = job.document.poll_interval_secs
        asked: list[Resurrection] = []
        before: JobFields = {"resurrection": job.chances.resurrection, "resurrects": job.chances.resurrects}
        try:
            resurrect_run(
                self.platform,
                run.id,
                self._query(job, run),
                send_by=send_by,
                announce=lambda: asked.append(self._announce(job, run, lease)),
            )
        except LostJob:
            return Stop()
        except LockError:  # the lease has expired; another execution has taken over
            return Wait(every)
        except (StartDeferred, NotDurable) as error:  # certain not to have happened: asked for again later
            wait_s = max(CAPACITY_SECS, asked_wait_s(error.error) if isinstance(error, StartDeferred) else 0)
            wait = Wait(wait_s, at_least_s=wait_s)
            return self._take_back(job, asked, TimelineEvent.WAITING, error, wait=wait, fields=before)
        except StartUnclear as error:
            sent = asked[0].model_copy(update={"sent_at": self.ledger.now()})
            return self._note(
                job,
                TimelineEvent.RESURRECTION_UNCLEAR,
                {"message": str(error)},
                wait=Wait(every),
                fields={"resurrection": sent},
            )
        except StartRefused as error:
            given_up: JobFields = {**before, "resurrects": job.document.on_failure.resurrect}
            event = TimelineEvent.RESURRECTION_REFUSED
            return self._take_back(job, asked, event, error, wait=Wait(0), fields=given_up)
        done: JobFields = {"resurrection": asked[0].model_copy(update={"is_done": True})}
        return self._note(job, TimelineEvent.RESURRECTED, {}, wait=Wait(every), fields=done)

    def _query(self, job: Job, run: Run) -> dict[str, str]:
        """Return the parameters: the platform's time-out keeps the deadline even when no worker lives."""
        policy, own = job.document.on_failure, run.options.timeout_secs
        if policy.resurrect_timeout_secs is not None:
            own = policy.resurrect_timeout_secs
        if job.deadline_at is None or own is None:
            return policy.resurrect_query()
        return policy.resurrect_query() | within_deadline(own, job.deadline_at - self.ledger.now())

    def _take_back(
        self,
        job: Job,
        asked: Sequence[Resurrection],
        event: TimelineEvent,
        error: Exception,
        *,
        wait: Wait,
        fields: JobFields,
    ) -> Step:
        """Take our own intent back, as nothing came of it: also if the job has another epoch, or is to stop, by now."""
        step = self._note(job, event, {"message": str(error)}, wait=wait, fields=fields)
        if isinstance(step, Stop):
            for intent in asked:
                change = Change(guards={"resurrection": intent}, fields=fields)
                self.ledger.change(job.key, change, states={State.RUNNING, State.ABORTING}, epoch=None)
        return step

    def _announce(self, job: Job, run: Run, lease: Lock) -> Resurrection:
        """Write the intent, on disk. Raises LockError, NotDurable and LostJob; then nothing is sent."""
        lease.reacquire()
        now = self.ledger.load(job.key)
        if now is None or now.chances != job.chances:
            raise LostJob  # an execution that held the lease before has asked for it
        self.ledger.agenda.plan_second_search(job.key, job.attempt)
        intent = Resurrection(
            expected=(run.stats.resurrect_count or 0) + 1,
            at=self.ledger.now(),
            finished_at=iso_time_of(run.finished_at),
        )
        number = job.chances.resurrects + 1
        step = self._note(
            job,
            TimelineEvent.RESURRECTING,
            {"number": number, "run_status": run.status, "cost_usd": known_cost(job, run.usage_total_usd)},
            wait=Wait(job.document.poll_interval_secs),
            on_disk=True,
            fields={"resurrection": intent, "resurrects": number},
        )
        if isinstance(step, Stop):
            raise LostJob
        return intent

    def _note(
        self,
        job: Job,
        event: TimelineEvent | None,
        data: Mapping[str, object],
        *,
        wait: Wait,
        on_disk: bool = False,
        guards: JobFields | None = None,
        fields: JobFields | None = None,
    ) -> Step:
        won = self.ledger.change(
            job.key,
            Change(
                guards={"stop_wish": None, **(guards or {})},
                due_in_s=wait.seconds + self.settings.lost_message_secs,
                event=event,
                data=data,
                on_disk=on_disk,
                fields={"sent_at": NOW, **(fields or {})},
            ),
            states={State.RUNNING},
            epoch=job.epoch,
        )
        return Stop() if won is None else wait

"""The stage *poll*: one GET says how the run is; one that isn't wanted any more is aborted until that is confirmed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from actorline.errors import Code, Reason
from actorline.identifiers import RunId
from actorline.jobs.attempt import next_attempt
from actorline.jobs.cost import cost_fields
from actorline.jobs.failure_policy import FAILED_STATUSES, Chance, has_come, next_chance
from actorline.jobs.fields import NOW, JobFields, Moment
from actorline.jobs.job import Job, StopWish
from actorline.jobs.states import Event, State
from actorline.jobs.step import Moved, Park, Step, Stop, Wait
from actorline.jobs.timeline_event import TimelineEvent
from actorline.jobs.times import iso_time
from actorline.ledger.admission.pause import is_paused
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.clock import SKEW_SECS
from actorline.platform.marker import digest_of
from actorline.platform.runs import Run, abort_run, get_run, list_runs, secs_until_final
from actorline.platform.statuses import RunStatus
from actorline.settings import Settings
from actorline.stages.collect.judge_rows import is_watched
from actorline.stages.ending import STOP_CODES, STOP_EVENTS, end_job, judge_end, stop_reason
from actorline.stages.seen_run import RESURRECTION_SEEN, SEEN_RUNNING, run_fields
from actorline.stages.watch.log_tail import read_log_end, shortened
from actorline.stages.watch.look_at_fleet import ParkedJobs
from actorline.stages.watch.resurrection import Resurrector

POLL_STATES: Final = frozenset({State.RUNNING, State.ABORTING})
MISSING_SECS: Final = 40.0  # a run that exists may be 404 for a while: docs/platform-facts.md#replica-lag
MISSING_LOOK_SECS: Final = 5.0
HINTED_POLL_SECS: Final = 2.0
HINTED_SECS: Final = 20.0  # how long the GET may lag behind a webhook about the run's end
ABORT_POLL_SECS: Final = 1.0  # an abort takes a second or two, and a person is waiting for it


@dataclass(frozen=True)
class Poller:
    ledger: Ledger
    platform: Platform
    settings: Settings

    def advance(self, job: Job) -> Step:
        """Look at the run once. The job is as `claim_poll` returned it, so only one execution looks."""
        if job.state not in POLL_STATES or job.run.id is None:
            return Stop()
        try:
            return self._look(job, job.run.id)
        except platform_errors.NotFound as error:
            return self._vanished(job, error)
        except platform_errors.PlatformError as error:
            return self._try_again(job, error)

    def _look(self, job: Job, run_id: RunId) -> Step:
        seen_at = self.ledger.now()
        stop_wish = job.stop_wish_at(seen_at)
        if stop_wish and job.state is State.RUNNING:
            if not job.document.may_abort:
                return end_job(self.ledger, job, STOP_EVENTS[stop_wish], _left_alone(stop_reason(job, stop_wish)))
            return self._abort(job, stop_wish)
        run = self._stop(job, run_id) if job.state is State.ABORTING else get_run(self.platform, run_id)
        # as a start leaves it: the first look, or an early one
        if job.run.status == RunStatus.READY and job.document.starts_run:
            came_back = f"/{digest_of(job.key)}.{job.attempt})" in (run.meta.user_agent or "")
            self.ledger.runs.note_marker(job.document.account, came_back=came_back)
        job = self._resurrector.note_done(job, run)
        return self._ended(job, run, seen_at) if _has_ended(job, run) else self._keep_watching(job, run)

    def _abort(self, job: Job, stop_wish: StopWish) -> Step:
        moved = self.ledger.move(
            job,
            Event.ABORT,
            Change(
                due_in_s=self.settings.lost_message_secs,
                guards={"stop_wish": job.stop_wish},  # another wish that came meanwhile made the job due at once
                event=TimelineEvent.ABORTING,
                data={"wanted": stop_wish},
                fields={
                    "stop_wish": None,
                    "is_planned": False,  # this is the look that was planned: another would abort beside it
                    "sent_at": NOW,
                    **({"reason": stop_reason(job, stop_wish)} if stop_wish in STOP_EVENTS else {}),
                },
            ),
        )
        stopped = self.ledger.load(job.key) if moved else None
        return self.advance(stopped) if stopped else Stop()

    def _stop(self, job: Job, run_id: RunId) -> Run:
        """Abort the run: gracefully if its rows are wanted and only no more of them."""
        gracefully = job.enough is not None and not (job.reason or job.stop_wish)
        return abort_run(self.platform, run_id, gracefully=gracefully)

    def _keep_watching(self, job: Job, run: Run, every_s: float | None = None) -> Step:
        """Look again after `every_s`, or the usual interval."""
        every_s = every_s or self._interval(job)
        changed = run.status != job.run.status
        won = self.ledger.change(
            job.key,
            Change(
                due_in_s=every_s + self.settings.lost_message_secs,
                guards={"stop_wish": job.stop_wish},  # one that came meanwhile made the job due at once
                event=TimelineEvent.RUN_STATUS if changed else None,
                data={"run_status": run.status},
                fields={
                    "sent_at": NOW,
                    "failures": 0,
                    "poll_until": self._claimed_until(every_s),
                    **run_fields(job, run, self.settings),
                    **({"collecting_at": _seen_ended_at(job)} if run.is_terminal else SEEN_RUNNING),
                    **({"grew_at": NOW} if changed and run.status == RunStatus.RUNNING else {}),
                },
            ),
            states=POLL_STATES,
            epoch=job.epoch,
        )
        if won is None:
            return Stop()
        parked = ParkedJobs(self.ledger, self.settings)
        is_polled = self._is_hinted(job) or is_watched(job.document)
        if job.state is State.RUNNING and not is_polled and parked.is_crowded():
            parked.park(job, run, every_s)
            return Park()
        return Wait(every_s)

    def _claimed_until(self, every_s: float) -> float:
        """Return until when only one execution may do this poll: two of it would be two of the next."""
        return self.ledger.now() + every_s + self.settings.lost_message_secs

    def _interval(self, job: Job) -> float:
        if job.state is State.ABORTING:
            return ABORT_POLL_SECS
        every_s = job.document.poll_interval_secs
        return min(every_s, HINTED_POLL_SECS) if self._is_hinted(job) else every_s

    def _is_hinted(self, job: Job) -> bool:
        return job.run.hinted_at is not None and self.ledger.now() - job.run.hinted_at < HINTED_SECS

    @property
    def _resurrector(self) -> Resurrector:
        return Resurrector(self.ledger, self.platform, self.settings)

    def _ended(self, job: Job, run: Run, seen_at: float) -> Step:
        send_by_s, settle_s = self.settings.send_by_secs, self.settings.start_settle_secs
        chance = next_chance(job, run, seen_at=seen_at, send_by_s=send_by_s, settle_s=settle_s)
        match chance:
            case Chance.WAIT:
                return self._keep_watching(job, run)
            case Chance.LOST:
                return self._resurrector.give_up(job)
            case Chance.RESURRECT:
                if is_paused(self.ledger, job.document.account):
                    return self._keep_watching(job, run)
                return self._resurrector.resurrect(job, run)
            case Chance.NEW_RUN:
                wait_s = self._secs_until_final(job)
                return self._keep_watching(job, run, wait_s) if wait_s > 0 else self._new_run(job, run)
            case Chance.NONE:
                return self._conclude(job, run)
            case _:
                assert_never(chance)

    def _secs_until_final(self, job: Job) -> float:
        """Return seconds until the cost of a run that has ended is final: that of an earlier attempt isn't read again.
        They count from when its end was first seen, by our clock.
        """
        now = self.ledger.now()
        return secs_until_final(job.collection.started_at or now, now)

    def _new_run(self, job: Job, run: Run) -> Step:
        """Back to the start for another paid run; upkeep sends it on its way at once."""
        seen = job.model_copy(update={"run": job.run.after(cost_fields(job, run.usage_total_usd))})
        self.ledger.move(
            job,
            Event.NEW_RUN,
            Change(
                due_in_s=0,
                guards={"stop_wish": None},
                event=TimelineEvent.NEW_RUN,
                data={"attempt": job.attempt + 1, "run_status": run.status, "cost_usd": seen.run.cost_usd},
                fields={**next_attempt(seen), "new_runs": job.chances.new_runs + 1},
            ),
        )
        return Stop()

    def _conclude(self, job: Job, run: Run) -> Step:
        rows_wanted = job.document.on_failure.deliver_partial or (
            job.reason is None and (run.status == RunStatus.SUCCEEDED or job.enough is not None)
        )
        facts: JobFields = {**run_fields(job, run, self.settings), "run_log": self._log_of(job, run)}
        if run.status == RunStatus.SUCCEEDED:
            facts["enough"] = None  # its own end came first
        if has_come(job, run):  # one that hasn't stays known: as an orphan the run is aborted if it comes after all
            facts.update(RESURRECTION_SEEN)
        seen = job.model_copy(update={"run": job.run.after(facts)})
        self.ledger.timeline.add(job.key, TimelineEvent.RUN_ENDED, run_status=run.status, cost_usd=seen.run.cost_usd)
        if rows_wanted:
            return self._collect(job, facts)
        event, reason = judge_end(seen, failure=None)
        return end_job(self.ledger, job, event, reason, fields=facts)

    def _collect(self, job: Job, facts: JobFields) -> Step:
        moved = self.ledger.move(
            job,
            Event.COLLECT,
            Change(
                due_in_s=self.settings.lost_message_secs,
                guards={"stop_wish": job.stop_wish} if is_watched(job.document) else {},  # that it is to stop
                event=TimelineEvent.COLLECTING,
                fields={
                    "collecting_at": NOW,
                    "sent_at": NOW,
                    "failures": 0,
                    "scanned_before": job.collection.scanned,
                    **facts,
                },
            ),
        )
        return Moved() if moved else Stop()

    def _log_of(self, job: Job, run: Run) -> str | None:
        """Return the last lines of a failed run's log, for the reason; more of them are in the timeline."""
        if run.status not in FAILED_STATUSES:
            return None
        lines = read_log_end(self.platform, run.id, self.settings)
        if lines:
            self.ledger.timeline.add(job.key, TimelineEvent.RUN_LOG, lines=lines)
        return shortened(lines)

    def _vanished(self, job: Job, error: platform_errors.PlatformError) -> Step:
        """Believe that the run is gone when the platform has said so for a while, and the list of runs says so too. Its
        dataset may still be there: its rows are delivered as those of a failed run are.
        """
        now = self.ledger.now()
        if job.run.missing_since is None or now - job.run.missing_since < MISSING_SECS or self._is_listed(job):
            return self._try_again(job, error, missing_since=job.run.missing_since or now)
        message = (
            f"The platform doesn't know the run any more: {error}. Look at it in the console; it may have been billed."
        )
        if job.reason and job.reason.code in STOP_CODES:  # the run is no longer wanted, and no longer there
            reason = job.reason.model_copy(update={"message": f"{job.reason.message} {message}"})
        else:
            reason = Reason(code=Code.RUN_VANISHED, message=message, platform_type=error.type, billed=True)
        if job.document.on_failure.deliver_partial and job.run.dataset_id:
            return self._collect(job, {"reason": reason})
        return end_job(self.ledger, job, STOP_CODES.get(reason.code, Event.FAIL), reason)

    def _is_listed(self, job: Job) -> bool:
        """Return whether the list of runs still shows it, or can't be read: then that isn't known."""
        began = job.run.started_at or iso_time(job.run.known_at or job.queued_at)
        since = datetime.fromisoformat(began or "") - timedelta(seconds=SKEW_SECS)
        try:
            return any(run.id == job.run.id for run in list_runs(self.platform, started_after=since))
        except platform_errors.PlatformError:
            return True

    def _try_again(self, job: Job, error: platform_errors.PlatformError, *, missing_since: float | None = None) -> Step:
        """Ask the platform again as often as before, unless it names a time: while it doesn't respond, the run is its
        business.
        """
        asked_s = platform_errors.asked_wait_s(error)
        every_s = max(job.document.poll_interval_secs, asked_s)
        if missing_since is not None:
            every_s = min(every_s, MISSING_LOOK_SECS)
        won = self.ledger.change(
            job.key,
            Change(
                due_in_s=every_s + self.settings.lost_message_secs,
                guards={"stop_wish": job.stop_wish},
                event=TimelineEvent.POLL_FAILED if job.failures in {0, 9, 99} else None,
                data={"message": str(error)},
                fields={
                    "sent_at": self.ledger.now() + asked_s,  # not lost before
                    "failures": job.failures + 1,
                    "missing_since": missing_since,
                    "poll_until": self._claimed_until(every_s),
                },
            ),
            states=POLL_STATES,
            epoch=job.epoch,
        )
        return Stop() if won is None else Wait(every_s, at_least_s=asked_s)


def _has_ended(job: Job, run: Run) -> bool:
    """Return whether the run's end is believed: a status that comes without the time of the end must come twice."""
    return run.is_terminal and (run.finished_at is not None or run.status == job.run.status)


def _seen_ended_at(job: Job) -> Moment:
    return job.collection.started_at or NOW


def _left_alone(reason: Reason) -> Reason:
    message = (
        f"{reason.message} The run was taken over, so it is still running: abort it in the console if nobody needs it."
    )
    return reason.model_copy(update={"message": message})

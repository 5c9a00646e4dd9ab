"""The stage *start*: one job, one paid run, whatever dies on the way.

An intent is on Redis's disk before the POST goes out. What becomes of the POST is one of four: a run; certainly none,
for good; certainly none, for now; or unclear. An unclear one, and an intent that an execution which died left behind,
end in a search of the account's runs for the marker, and only a complete search that began after the settle time may
lead to another POST.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import redis
from redis.exceptions import LockError
from redis.lock import Lock

from actorline.delivery.sink import SinkError, open_sink
from actorline.errors import Code, Reason, Refused
from actorline.jobs.job import Intent, Job, StopWish
from actorline.jobs.secret import hide_secrets
from actorline.jobs.states import Event, sources
from actorline.jobs.step import Ended, LostJobError, Moved, Step, Stop
from actorline.ledger.accounts import is_known
from actorline.ledger.capacity_line import Admission
from actorline.ledger.continuity import Gap, last_gap
from actorline.ledger.durability import NotDurableError
from actorline.ledger.ledger import Ledger
from actorline.ledger.outside_places import WAIT_SECS, NoPlaceError, OutsidePlaces, PlaceTakenError
from actorline.ledger.pause import is_paused
from actorline.logs import Logger
from actorline.orders.parquet import lacks_parquet
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.clock import SKEW_SECS
from actorline.platform.datasets import get_dataset
from actorline.platform.marker import Found, make_marker
from actorline.platform.runs import get_run
from actorline.platform.start import SendBy, StartDeferred, StartOrder, StartRefused, StartUnclear, start_run
from actorline.settings import Settings
from actorline.stages.ending import STOP_EVENTS, end_job, stop_reason
from actorline.stages.reuse import find_delivery, reuse
from actorline.stages.silent_sink import SinkSilentError, soon
from actorline.stages.start.look_back import LookBack
from actorline.stages.start.memory_limit import beyond_the_account
from actorline.stages.start.refusal import refusal_reason
from actorline.stages.start.run_input import InputUnreadableError, RunInput, fetch_input, own_input
from actorline.stages.start.run_timeout import timeout_query
from actorline.stages.start.search import StartSearch, find_runs, name_suspects
from actorline.stages.start.sync import SyncFlow
from actorline.stages.start_lease import LEASE_SECS, holding_on, look_secs, release
from actorline.webhooks.events import hinted_run
from actorline.webhooks.receiver import webhooks_query

log = Logger(__name__)

START_STATES: Final = sources(Event.START)
LOOK_AGAIN_SECS: Final = 2.0  # another execution is starting the run: what came of it is known soon
SEARCH_AGAIN_SECS: Final = 5.0
ACCOUNT_TRIES: Final = 20  # a quarter of an hour: workers that are replaced don't all have an account's token
INPUT_TRIES: Final = 8  # four minutes with HOLD_SECS between them
INPUT_WAITS: Final = (
    "As many inputs are being read from its host, or for its account, as may be: this one is next in turn."
)
NO_MEMORY: Final = "actor-memory-limit-exceeded"  # another run may need less: docs/platform-facts.md#errors
HOLD_SECS: Final = (5.0, 10.0, 20.0, 40.0, 60.0)  # what is in the way passes within minutes; a try costs one call
PUT_OFF_SECS: Final = 15.0
LINE_CARE_SECS: Final = 60.0  # until a job that its worker's death kept from the line is looked at


@dataclass(frozen=True)
class Starter:
    """The doors that a start goes through."""

    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str
    wake: Callable[[Sequence[str]], None]

    def advance(self, key: str, epoch: int) -> Step:
        """Take the job from QUEUED, WAITING or STARTING to its run, or to the end. Raises PlatformError and
        redis.RedisError before anything is sent.
        """
        job = self.ledger.load(key)
        if job is None or job.epoch != epoch or job.state not in START_STATES:
            return Stop()
        stop_wish = job.stop_wish_at(self.ledger.now())
        # from an intent on nothing is refused any more: a run may be billing, and is looked for first
        may_be_running = job.intent is not None or bool(self.ledger.runs.of(key, job.attempt))
        try:
            if not may_be_running and (step := self._before_start(job, stop_wish)):
                return step
            if job.document.dataset_id:
                return self._collect(job, job.document.dataset_id)
        except SinkSilentError as error:
            message = f"{error} No run was started; the job tries again."
            return self._hold(job, Reason(code=Code.SINK_FAILED, message=message, billed=False))
        if job.document.run_id:
            return self._take_over(job, job.document.run_id)
        return self._start(job, stop_wish)

    def put_off(self, key: str, epoch: int) -> Step:
        """No thread is free to wait for the platform: what needs none of it is done, the rest waits."""
        job = self.ledger.load(key)
        if job is None or job.epoch != epoch or job.state not in START_STATES:
            return Stop()
        if job.intent or self.ledger.runs.of(key, job.attempt):
            return self._look_again(job, PUT_OFF_SECS)
        stop_wish = job.stop_wish_at(self.ledger.now())
        if step := self._before_start(job, stop_wish):
            return step
        if not job.document.starts_run:
            return self._look_again(job, PUT_OFF_SECS)
        message = "The platform answers slowly or not at all. No run was started; it is tried again."
        return self._stand_in_line(job, Code.PLATFORM_UNAVAILABLE, message, was_refused=True)

    def _before_start(self, job: Job, stop_wish: StopWish | None) -> Step | None:
        """What keeps the job from its start: it needs no run, or it isn't its turn."""
        end = self._end_without_run(job, stop_wish)
        if end:
            self._admission(job).leave(job)
        if end or not job.document.starts_run:
            return end
        if is_paused(self.ledger, job.document.account):
            return self._stand_in_line(job, Code.PAUSED, "The brake is on: actorline resume takes it off.")
        if not self._admission(job).may_try(job):
            message = "The account has no room for another run, and other jobs come first."
            return self._stand_in_line(job, Code.CAPACITY, message)
        return None

    def _end_without_run(self, job: Job, stop_wish: StopWish | None) -> Step | None:
        """End a job that nobody wants any more, that was delivered before, or that can't be delivered."""
        if stop_wish:
            return self._end(job, STOP_EVENTS[stop_wish], stop_reason(job, stop_wish))
        if earlier := find_delivery(self.ledger, job):
            return reuse(self.ledger, job, earlier)
        refusal = self._unfit(job)
        return self._refuse(job, refusal) if refusal else None

    def _admission(self, job: Job) -> Admission:
        return Admission(self.ledger, job.document.account)

    def _stand_in_line(self, job: Job, code: Code, message: str, *, was_refused: bool = False) -> Step:
        """Wait in the account's line until the job is called. Told once."""
        moved = self.ledger.move(
            job,
            Event.HOLD,
            care_s=LINE_CARE_SECS,
            tell="" if job.waiting_for == code else "waiting",
            data={"code": code, "message": message},
            fields={"intent": "", "is_planned": True, "waiting_for": code},
        )
        if moved:
            self._admission(job).enter(job, was_refused=was_refused)
        return Stop()

    def _without_room(self, job: Job, refused: platform_errors.CapacityExceeded) -> Step:
        is_memory = refused.type == NO_MEMORY
        if is_memory and (never := beyond_the_account(self.platform, job.document, refused)):
            self._admission(job).leave(job)
            return self._refuse(job, never)
        reason = refusal_reason(refused)
        step = self._stand_in_line(job, reason.code, reason.message, was_refused=True)
        if is_memory:
            self._admission(job).call_behind(job)
        return step

    def _unfit(self, job: Job) -> Reason | None:
        """Why what the job brings can't be delivered from here."""
        if refusal := lacks_parquet(job.document):
            return refusal
        if job.document.dataset_id:
            return None  # the sink is claimed when the dataset is known to exist
        try:
            sink = open_sink(job.sink_url)
            if "{run_id}" in job.sink_url:
                soon(job.sink_url, sink.check)
            else:
                soon(job.sink_url, partial(sink.claim, self.installation, job.key))
        except SinkError as error:
            return Reason(code=Code.SINK_REFUSED, message=f"{error} Nothing was started.", billed=False)
        return None

    # -- targets that exist already

    def _collect(self, job: Job, dataset_id: str) -> Step:
        try:
            dataset = get_dataset(self.platform, dataset_id)
            soon(job.sink_url, partial(open_sink(job.sink_url).claim, self.installation, job.key))
        except platform_errors.NotFound as error:
            return self._refuse(job, refusal_reason(error, Code.DATASET_NOT_FOUND))
        except (platform_errors.AuthFailed, platform_errors.Forbidden) as error:
            return self._refuse(job, refusal_reason(error))
        except SinkError as error:
            return self._refuse(job, Reason(code=Code.SINK_REFUSED, message=str(error), billed=False))
        moved = self.ledger.move(
            job,
            Event.COLLECT,
            care_s=self.settings.lost_message_secs,
            tell="collecting",
            data={"dataset_id": dataset.id},
            fields={
                "dataset_id": dataset.id,
                "items_total": dataset.item_count,
                "collecting_at": "@now",
                "sent_at": "@now",
                "failures": 0,
            },
        )
        return Moved() if moved else Stop()

    def _take_over(self, job: Job, run_id: str) -> Step:
        try:
            run = get_run(self.platform, run_id)
        except platform_errors.NotFound as error:
            return self._refuse(job, refusal_reason(error, Code.RUN_NOT_FOUND))
        except (platform_errors.AuthFailed, platform_errors.Forbidden) as error:
            return self._refuse(job, refusal_reason(error))
        return self._keep(job, run.id, found=True)

    # -- a paid run

    def _refusal(self, error: platform_errors.PlatformError) -> Reason:
        """Return why nothing was started; the platform's words may quote the input that it refuses."""
        reason = refusal_reason(error)
        return reason.model_copy(update={"message": hide_secrets(reason.message, self.settings)})

    def _start(self, job: Job, stop_wish: StopWish | None) -> Step:
        try:
            fetched = self._fetched(job)
        except (InputUnreadableError, NoPlaceError, PlaceTakenError) as error:
            return self._without_input(job, error)
        send_by = SendBy(self.settings.send_by_secs)
        lease = self.ledger.lease("start", job.key, seconds=LEASE_SECS)
        if not lease.acquire():
            return self._while_held(job)
        try:
            known = self.ledger.runs.of(job.key, job.attempt)
            if known:
                return self._keep(job, known[0], found=True)
            if job.intent:
                return self._search(job, job.intent, stop_wish, lease)
            return self._start_anew(job, fetched, send_by, lease)
        finally:
            release(lease)

    def _start_anew(self, job: Job, fetched: RunInput | None, send_by: SendBy, lease: Lock) -> Step:
        gap = self._last_gap()
        if not (job.fresh and job.queued_at > gap.seen_at):  # else no earlier run can carry its marker
            look_back = LookBack(self.ledger, self.platform, self.installation, job.document.account)
            if not look_back.is_done(gap) and (step := self._look_back(job, look_back, gap, lease)):
                return step
            if send_by.is_past():
                return self._look_again(job, 0)
            if lost := look_back.lost_runs(job):
                return self._adopt(job, Found(run_ids=lost))
        return self._post(job, fetched, send_by, lease, gap)

    def _look_back(self, job: Job, look_back: LookBack, gap: Gap, lease: Lock) -> Step | None:
        """The ledger may have lost intents, or itself: look for the account's runs first, once for all its jobs."""
        looking = look_back.lease()
        if not looking.acquire():
            message = "Redis lost its history: the account's runs are searched before any is started."
            return self._stand_in_line(job, Code.CAPACITY, message, was_refused=True)
        try:
            with holding_on(self.ledger, job, lease, looking):
                look_back.run(gap)
        except platform_errors.AuthFailed as error:  # the start would be refused as well
            return self._refuse(job, refusal_reason(error))
        finally:
            release(looking)
        self._admission(job).let_in()
        return None

    def _last_gap(self) -> Gap:
        return last_gap(self.ledger, unknown_s=self.settings.start_lookback_secs)

    def _fetched(self, job: Job) -> RunInput | None:
        """The input that lies elsewhere, read before the span begins in which the start is sent: it may take longer."""
        if job.document.input_url is None or job.intent or self.ledger.runs.of(job.key, job.attempt):
            return None
        places = OutsidePlaces.of(self.ledger, self.settings, self.wake)
        with places.held(job, job.document.input_url, secrets.token_hex(8)) as place:
            return fetch_input(job.document, self.settings, place)

    def _without_input(self, job: Job, error: InputUnreadableError | NoPlaceError | PlaceTakenError) -> Step:
        """The input isn't there yet, or never will be: no intent is written."""
        if isinstance(error, PlaceTakenError):
            return Stop()
        if isinstance(error, NoPlaceError):
            return self._look_again(job, WAIT_SECS, tell="input-waits", message=INPUT_WAITS)
        message = f"The input can't be read: {error}. No run was started."
        reason = Reason(code=Code.INPUT_UNREADABLE, message=message, billed=False)
        if error.may_pass and job.input_failures < INPUT_TRIES:
            return self._hold(job, reason, input_failures=job.input_failures + 1)
        return self._refuse(job, reason)

    def _while_held(self, job: Job) -> Step:
        """Another execution is starting the run, or died while it did: its run, if it is there, is found early."""
        if job.intent and self.ledger.now() > job.intent.at + min(look_secs(job), self.settings.send_by_secs):
            searching = self.ledger.lease("search", job.key, seconds=LEASE_SECS)
            if not searching.acquire():
                return self._look_again(job, SEARCH_AGAIN_SECS)
            try:
                with holding_on(self.ledger, job, searching):
                    found = find_runs(self.ledger, self.platform, job.intent.marker, since=job.intent.at - SKEW_SECS)
            finally:
                release(searching)
            if found.run_ids:  # of a synchronous start that goes on this is how its run becomes known
                return self._adopt(job, found, is_lost=job.document.mode == "async")
        return self._look_again(job, LOOK_AGAIN_SECS)

    def _look_again(self, job: Job, seconds: float, *, tell: str = "", message: str = "", **fields: object) -> Step:
        """Plan this stage again: with a lease of its own and time to send."""
        self.ledger.change(
            job.key,
            states=START_STATES,
            epoch=job.epoch,
            care_s=seconds,
            tell=tell,
            data={"message": message} if message else None,
            fields={"is_planned": True, **fields},
        )
        return Stop()

    def _post(self, job: Job, fetched: RunInput | None, send_by: SendBy, lease: Lock, gap: Gap) -> Step:  # noqa: PLR0911 - a table: each outcome has its answer
        announced: list[Intent] = []
        sha256 = fetched.digest() if fetched else None
        try:
            given = fetched or own_input(self.ledger, job, self.settings, self.platform)
            with holding_on(self.ledger, job, lease, keeps_due=job.document.mode == "async"):
                announce = lambda: announced.append(self._announce(job, lease, gap, sha256))  # noqa: E731 - one line
                run_id = self._send(job, given, send_by, announce)
        except Refused as error:
            return self._refuse(job, error.reason)
        except LostJobError:
            return Stop()
        except LockError:  # it took too long to get here; somebody else is at it
            return self._look_again(job, LOOK_AGAIN_SECS)
        except NotDurableError as error:
            # the intent may be written: it is taken back, for nothing was sent
            reason = Reason(code=Code.LEDGER_NOT_DURABLE, message=f"{error}; no paid run is started.", billed=False)
            return self._hold(job, reason)
        except StartRefused as error:
            self._admission(job).leave(job)
            return self._refuse(job, self._refusal(error.error))
        except StartDeferred as error:
            if isinstance(error.error, platform_errors.CapacityExceeded):
                return self._without_room(job, error.error)
            retry_after = (
                error.error.retry_after_s if isinstance(error.error, platform_errors.PlatformUnavailable) else None
            )
            return self._hold(job, self._refusal(error.error), at_least=retry_after)
        except StartUnclear as error:
            return self._unclear(job, announced[0], str(error))
        step = self._keep(job, run_id, found=False)
        self._admission(job).leave(job)
        if isinstance(step, Stop) and job.document.mode == "sync":
            self._sync.poll_now(job)
        return step

    def _send(self, job: Job, given: RunInput, send_by: SendBy, announce: Callable[[], None]) -> str:
        """The one POST; answers the run's id."""
        order = job.document
        marker = make_marker(self.installation, job.key, job.attempt)
        left_s = job.deadline_at - self.ledger.now() if job.deadline_at else None
        timeout = timeout_query(self.platform, order, left_s)
        query = {**order.query(), **timeout, **webhooks_query(self.ledger, self.settings, marker)}
        start = StartOrder(order.actor, order.actor_task, given.body, query, marker, given.content_type)
        if order.mode == "sync":
            execution = secrets.token_hex(8)
            return self._sync.run(job, start, send_by=send_by, announce=announce, execution=execution)
        return start_run(self.platform, start, send_by=send_by, announce=announce)

    @property
    def _sync(self) -> SyncFlow:
        return SyncFlow(self.ledger, self.platform, self.settings)

    def _announce(self, job: Job, lease: Lock, gap: Gap, input_sha256: str | None) -> Intent:
        """The intent, on disk: from here on a run may exist. Raises LockError, NotDurableError, LostJobError."""
        lease.reacquire()
        self.ledger.runs.name_marker(job.key)
        self.ledger.agenda.plan_sweep(job.document.account)
        marker = make_marker(self.installation, job.key, job.attempt)
        intent = Intent(attempt=job.attempt, marker=marker, at=self.ledger.now(), input_sha256=input_sha256)
        moved = self.ledger.move(
            job,
            Event.START,
            care_s=look_secs(job),
            guards={"intent": "", "stop_wish": ""},
            on_disk=True,
            tell="starting",
            data={"attempt": job.attempt},
            fields={"intent": intent, "is_planned": job.document.mode == "sync"},
        )
        if not moved:
            raise LostJobError
        if self._last_gap() != gap:
            raise NotDurableError("Redis was replaced while the start was being written")
        return intent

    # -- what came of it

    def _keep(self, job: Job, run_id: str, *, found: bool) -> Step:
        """Write the run id until it is written: it is the only handle on something that costs money."""
        while True:
            try:
                won = self.ledger.runs.record(
                    job.key,
                    job.attempt,
                    job.epoch,
                    run_id,
                    states=sources(Event.RUN_KNOWN),
                    care_s=self.settings.lost_message_secs,
                    found=found,
                )
            except redis.RedisError as error:
                log.warning("run_id_not_written", run_id=run_id, error=type(error).__name__)
                time.sleep(1)
            else:
                return Moved() if won else Stop()

    def _hold(self, job: Job, reason: Reason, *, at_least: float | None = None, **fields: object) -> Step:
        wait = max(HOLD_SECS[min(job.failures, len(HOLD_SECS) - 1)], at_least or 0)
        self.ledger.move(
            job,
            Event.HOLD,
            care_s=wait,
            tell="waiting",
            data={"code": reason.code, "message": reason.message, "seconds": wait},
            fields={
                "intent": "",
                "is_planned": True,
                "waiting_for": reason.code,
                "failures": job.failures + 1,
                **fields,
            },
        )
        return Stop()

    def _unclear(self, job: Job, intent: Intent, why: str) -> Step:
        sent = intent.model_copy(update={"sent_at": self.ledger.now()})
        self.ledger.move(
            job,
            Event.HOLD,
            care_s=0 if hinted_run(self.ledger, job.key) else SEARCH_AGAIN_SECS,
            tell="start-unclear",
            data={"message": f"{why}; searching for the run"},
            fields={"is_planned": True, "intent": sent},
        )
        return Stop()

    def _refuse(self, job: Job, reason: Reason) -> Step:
        return self._end(job, Event.FAIL, reason)

    def _end(self, job: Job, event: Event, reason: Reason) -> Step:
        """End a job that has no run, and give back the folder that it has claimed."""
        step = end_job(self.ledger, job, event, reason)
        if isinstance(step, Ended):
            with suppress(SinkError, SinkSilentError):  # then it stays: the end doesn't wait for it
                soon(job.sink_url, partial(open_sink(job.sink_url).release, self.installation, job.key))
        return step

    # -- the search

    def _search(self, job: Job, intent: Intent, stop_wish: StopWish | None, lease: Lock) -> Step:
        """Look for the run of an intent whose outcome nobody knows."""
        self.ledger.agenda.plan_second_search(job.key, job.attempt)
        suspects = self._searcher.last_suspects(job, intent)
        if suspects is not None:
            return self._not_found(job, suspects, stop_wish)
        searching = self.ledger.lease("search", job.key, seconds=LEASE_SECS)
        if not searching.acquire():
            return self._look_again(job, SEARCH_AGAIN_SECS)
        try:
            with holding_on(self.ledger, job, lease, searching):
                began = self.ledger.now()
                found = self._searcher.look_for(job, intent)
                if found.run_ids:
                    return self._adopt(job, found)
                sent_by = intent.sent_at or intent.at + self.settings.send_by_secs
                if began < sent_by + self.settings.start_settle_secs:
                    self.ledger.move(job, Event.HOLD, care_s=SEARCH_AGAIN_SECS, fields={"is_planned": True})
                    return Stop()
                suspects = self._searcher.find_suspects(job, intent, found)
        finally:
            release(searching)
        return self._not_found(job, suspects, stop_wish)

    def _not_found(self, job: Job, suspects: list[str], stop_wish: StopWish | None) -> Step:
        """A complete search that began after the settle time found no run of ours."""
        if suspects and stop_wish:
            reason = stop_reason(job, stop_wish)
            message = f"{reason.message} {name_suspects(suspects)} If one of them is, it goes on: look in the console."
            return end_job(
                self.ledger, job, STOP_EVENTS[stop_wish], Reason(code=reason.code, message=message, billed=True)
            )
        if suspects:
            return self._stay_unclear(job, suspects)
        if stop_wish:
            return self._end(job, STOP_EVENTS[stop_wish], stop_reason(job, stop_wish))
        message = "the platform has no run with our marker; starting again"
        return self._look_again(job, 0, tell="start-not-found", message=message, intent=None)

    def _stay_unclear(self, job: Job, suspects: list[str]) -> Step:
        message = f"{name_suspects(suspects)} No second run is started; a person must look: cancel the job, or wait."
        told = job.waiting_for == Code.START_UNCLEAR
        if not told:
            log.error("start_unclear", job_key=job.key, suspects=suspects)
        self.ledger.move(
            job,
            Event.HOLD,
            care_s=HOLD_SECS[-1],
            tell="" if told else "start-unclear",
            data={"code": Code.START_UNCLEAR, "message": message},
            fields={"is_planned": True, "waiting_for": Code.START_UNCLEAR},
        )
        return Stop()

    def _adopt(self, job: Job, found: Found, *, is_lost: bool = True) -> Step:
        first, *others = found.run_ids
        step = self._keep(job, first, found=is_lost)
        for other in others:
            self._keep(job, other, found=True)  # not the job's run any more: a stray, which upkeep aborts
        return step

    @property
    def _searcher(self) -> StartSearch:
        return StartSearch(self.ledger, self.platform, self.settings)


def refuse_start(ledger: Ledger, key: str, epoch: int, reason: Reason) -> Step:
    """Leave a job that can't be started from here to a worker that can, or end it if none ever could.

    Its run may be going on already: then it is left alone.
    """
    job = ledger.load(key)
    if job is None or job.epoch != epoch or job.state not in START_STATES:
        return Stop()
    may_be_running = job.intent is not None or bool(ledger.runs.of(key, job.attempt))
    if may_be_running:
        ledger.change(
            key, epoch=epoch, care_s=HOLD_SECS[-1], tell="start-unclear", data={"message": reason.message},
            fields={"is_planned": True},
        )  # fmt: skip
        return Stop()
    if not is_known(ledger, job.document.account) or job.failures >= ACCOUNT_TRIES:
        return end_job(ledger, job, Event.FAIL, reason)
    ledger.move(
        job,
        Event.HOLD,
        care_s=HOLD_SECS[min(job.failures, len(HOLD_SECS) - 1)],
        tell="" if job.waiting_for == reason.code else "waiting",
        data={"code": reason.code, "message": reason.message},
        fields={"is_planned": True, "waiting_for": reason.code, "failures": job.failures + 1},
    )
    return Stop()

"""Takes a batch on: members are made or run again in waves, and stopped. Safe to repeat, and to run twice at once.

A member that exists is joined, so a second execution makes none twice; the ledger refuses members of a batch that is to
stop, so none is left behind.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from actorline.batches.batch import Batch, load_batch, waiting_text
from actorline.batches.change import move_batch
from actorline.batches.decision import (
    Close,
    Expire,
    Make,
    Nothing,
    Rerun,
    Rest,
    Step,
    StopMembers,
    StoreInputs,
    held_for,
    next_step,
)
from actorline.batches.inputs.input_file import InputFile
from actorline.batches.members import new_members
from actorline.batches.states import LIVE, BatchEvent
from actorline.batches.submit import taken_key
from actorline.errors import Code, Overloaded, Reason, Refused
from actorline.identifiers import JobKey
from actorline.jobs.fields import NOW
from actorline.jobs.job import StopWish
from actorline.jobs.member_key import member_key
from actorline.jobs.sender import Sender
from actorline.jobs.states import State
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.batches import BatchChange, NoPlaceInBatch
from actorline.ledger.ledger import Ledger
from actorline.ledger.registration import Bounds, NewJob, RegisterResult
from actorline.logs import Logger
from actorline.orders.cancel import cancel_job
from actorline.orders.retry import retry_job
from actorline.orders.submit import SEND_CARE_SECS
from actorline.settings import Settings
from actorline.stages.silent_sink import SilentSink, soon

HELD_LOOK_SECS: Final = 20
STEPS_MAX: Final = 20  # of one message: it holds a slot for some seconds at most
RERUN_BLOCK: Final = 500  # members that are looked at in one trip

log = Logger(__name__)


@dataclass(frozen=True)
class BatchAdvancer:
    """`start`: sends what a job needs now."""

    ledger: Ledger
    settings: Settings
    start: Callable[[JobKey], None]

    def advance(self, key: JobKey) -> Step:
        """Do what can be done now, and return what comes next: StoreInputs, Close, Rest or Nothing; any other step is
        continued by the next message.
        """
        step: Step = Nothing()
        for _ in range(STEPS_MAX):
            batch = load_batch(self.ledger, key)
            if batch is None:
                return Nothing()
            step = next_step(batch, self.ledger.now())
            match step:
                case Make():
                    self._continue(batch)
                    if held := self._make(batch, step):
                        self._hold(batch, held)
                        return Rest()
                case Rerun():
                    self._continue(batch)
                    self._rerun(batch, step)
                case Expire():
                    stop_batch(self.ledger, key, StopWish.EXPIRE)
                case StopMembers():
                    self._stop_members(batch)
                    return Rest()
                case Rest():
                    self._note_waiting(batch)
                    return step
                case StoreInputs() | Close() | Nothing():
                    return step
        return step

    def _make(self, batch: Batch, step: Make) -> Code | None:
        """Make the members, and return why it can't go on for now; None: all are made, or the batch is to stop."""
        try:
            inputs = soon(batch.sink, partial(InputFile(batch.sink).read, step.first, step.count))
            orders = new_members(batch, step.first, inputs, self.settings)
            bounds = Bounds(redis_bytes=self.settings.redis_max_bytes)
            registered = self.ledger.register(orders, due_in_s=SEND_CARE_SECS, bounds=bounds)
        except SilentSink as error:
            log.warning("inputs_not_read", batch_key=batch.key, error=str(error))
            return Code.SINK_FAILED
        except Refused as refused:  # an older version accepted the input
            stop_batch(self.ledger, batch.key, StopWish.CANCEL, reason=refused.reason)
            return None
        except Overloaded:
            return Code.OVERLOAD
        return self._start(batch, orders, registered)

    def _start(self, batch: Batch, orders: Sequence[NewJob], registered: Sequence[RegisterResult]) -> Code | None:
        """Send on what was made, up to the first one that has no room or must not be made."""
        for order, each in zip(orders, registered, strict=True):
            match each.outcome:
                case "created":
                    self.start(order.key)
                case "joined":
                    pass
                case "full":
                    return Code.QUOTA
                case "stopped":
                    return None
                case _:
                    stop_batch(self.ledger, batch.key, StopWish.CANCEL, reason=taken_key(batch.key, order.key).reason)
                    return None
        return None

    def _hold(self, batch: Batch, code: Code) -> None:
        """Look again soon. If none of its members is live, say once what the batch waits for."""
        now = load_batch(self.ledger, batch.key)
        if now is None or now.live:
            self.ledger.batches.change(batch.key, BatchChange(due_in_s=HELD_LOOK_SECS), states=LIVE)
            return
        self._show_waiting(batch, code, due_in_s=HELD_LOOK_SECS)

    def _rerun(self, batch: Batch, step: Rerun) -> None:
        """Retry members that haven't delivered, in order; those that still run, or were never made, are passed over."""
        end = min(step.first + RERUN_BLOCK, step.end)
        numbers = range(step.first, end)
        jobs = self.ledger.load_many([member_key(batch.key, number) for number in numbers])
        left = step.count
        for number, job in zip(numbers, jobs, strict=True):
            if job is None or not job.is_terminal or job.state is State.DELIVERED:
                continue
            if not left or not self._retry_member(batch, job.key):
                end = number
                break
            left -= 1
        self.ledger.batches.change(
            batch.key,
            BatchChange(fields={"rerun_from": end}, guards={"retries": batch.retries, "rerun_from": batch.rerun_from}),
            states=LIVE,
        )

    def _retry_member(self, batch: Batch, key: JobKey) -> bool:
        """Return False, with nothing changed, if the batch is to stop or has no room by now."""
        sender, request = Sender("batch", batch.ordered_by), f"batch {batch.key} retry {batch.retries}"
        try:
            retry_job(self.ledger, key, sender=sender, request=request, members_max=batch.document.max_running)
        except NoPlaceInBatch:
            return False
        except Refused:  # another execution retried it
            return True
        self.start(key)
        return True

    def _stop_members(self, batch: Batch) -> None:
        request = f"batch {batch.key} stop {batch.retries}"
        for key in self.ledger.batches.live_members(batch.key):
            if cancel_job(self.ledger, key, sender=Sender("batch", batch.ordered_by), request=request):
                self.start(key)

    def _continue(self, batch: Batch) -> None:
        if batch.state is State.WAITING:
            fields = {"waiting_for": None, "waiting_since": None, "waiting_until": None}
            move_batch(self.ledger, batch, BatchEvent.CONTINUE, fields=fields)

    def _note_waiting(self, batch: Batch) -> None:
        """Show what all members wait for as what the batch waits for."""
        states = self.ledger.batches.live_states
        one = held_for(states(batch.key, most=1))  # a member that waits for nothing of the kind spares the look at all
        code = held_for(states(batch.key)) if one else None
        if code is None:
            self._continue(batch)
        elif code != batch.waiting_for:
            self._show_waiting(batch, code, until=self._waits_until(batch))

    def _show_waiting(self, batch: Batch, code: str, *, until: float | None = None, due_in_s: float | str = "") -> None:
        """Make the batch WAITING, and say it in its timeline if it waited for something else, or for nothing."""
        is_new = code != batch.waiting_for
        move_batch(
            self.ledger,
            batch,
            BatchEvent.HOLD,
            fields={
                "waiting_for": code,
                "waiting_since": NOW if is_new else batch.waiting_since,
                "waiting_until": until,
            },
            due_in_s=due_in_s,
            timeline=TimelineEvent.WAITING if is_new else None,
            data={"code": code, "message": waiting_text(code, None, until)},
        )

    def _waits_until(self, batch: Batch) -> float | None:
        """Return until when its members wait at the latest, by one of them."""
        members = self.ledger.batches.live_members(batch.key)[:1]
        return next((job.waiting_until for job in self.ledger.load_many(members) if job), None)


def stop_batch(ledger: Ledger, key: JobKey, wish: StopWish, *, reason: Reason | None = None) -> bool:
    """Record that the batch is to stop: no member is made from now on. `reason`: why it fails, if nobody wished it."""
    fields = {"wanted": wish, **({"reason": reason.model_dump_json()} if reason else {})}
    return ledger.batches.change(key, BatchChange(due_in_s=0, fields=fields, guards={"wanted": None}), states=LIVE)

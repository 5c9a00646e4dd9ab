"""What takes a batch long: its inputs are stored before the first member, and its manifest after the last one.

One execution at a time does it, under a lease that it renews. Each step is safe to repeat after a SIGKILL.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from redis.exceptions import LockError

from actorline.back_off import back_off_s
from actorline.batches.batch import FAILURES, Batch, load_batch
from actorline.batches.change import move_batch
from actorline.batches.decision import Close, StoreInputs, next_step
from actorline.batches.end import judge_end
from actorline.batches.inputs.input_file import InputFile
from actorline.batches.inputs.listed import lines_of_split
from actorline.batches.inputs.reader import check_reader
from actorline.batches.inputs.reading_places import ReadingPlaces
from actorline.batches.inputs.source import UnreadableSource, copy_source
from actorline.batches.manifest import BatchHead, BatchTail, Member, write_manifest, write_tail
from actorline.batches.states import LIVE, BatchEvent, target
from actorline.batches.submit import check_member_keys
from actorline.delivery.sink import MANIFEST, SUCCESS, SinkError, SinkTaken, open_sink
from actorline.errors import Code, Reason, Refused
from actorline.identifiers import ExecutionToken, JobKey
from actorline.jobs.fields import NOW
from actorline.jobs.job import Job
from actorline.jobs.member_key import member_key
from actorline.jobs.states import State
from actorline.jobs.step import LostJob
from actorline.jobs.timeline_event import TimelineEvent
from actorline.jobs.times import iso_time
from actorline.keep_alive import renewed
from actorline.ledger.batches import BatchChange
from actorline.ledger.ledger import Lease, Ledger
from actorline.settings import Settings

STORE_LEASE_SECS: Final = 15.0
MEMBERS_A_BLOCK: Final = 500
SHORT: Final = {*FAILURES, State.PARTIAL}
"""States of a member of which rows are missing, or wrong."""
TRIES: Final = 6
TRY_AGAIN_SECS: Final = (1.0, 2.0, 5.0, 15.0, 30.0)
CALLERS_CARE_SECS: Final = 5.0


@dataclass(frozen=True)
class BatchStore:
    """`places`: for the sources that this process reads at a time. A list takes minutes, or a slow server up to an
    hour, so it has no place among the short calls to others' servers (`ledger/admission/outside_places.py`).
    """

    ledger: Ledger
    settings: Settings
    installation: str
    places: ReadingPlaces

    def work(self, key: JobKey, execution: ExecutionToken) -> bool:
        """Do what the batch needs now; return whether it has another state than before."""
        lease = self.ledger.lease("batch", key, seconds=STORE_LEASE_SECS)
        if not lease.acquire():
            return False
        try:
            batch = load_batch(self.ledger, key)
            if batch is None:
                return False
            with renewed(partial(self._go_on, lease, batch), STORE_LEASE_SECS / 3) as check:
                return self._work(batch, execution, check)
        except LostJob:
            return False
        finally:
            lease.release()

    def _go_on(self, lease: Lease, batch: Batch) -> None:
        """Renew the lease. Raises LostJob if another execution has the batch; also if it is to stop by now and its
        inputs are still being read, which may take an hour: it is then closed.
        """
        try:
            lease.reacquire()
        except LockError:
            raise LostJob from None
        if batch.inputs is None and batch.stop_wish is None:
            now = load_batch(self.ledger, batch.key)
            if now is None or now.stop_wish is not None:
                raise LostJob

    def _work(self, batch: Batch, execution: ExecutionToken, check: Callable[[], None]) -> bool:
        step = next_step(batch, self.ledger.now())
        try:
            match step:
                case StoreInputs():
                    return self._store_inputs(batch, execution, check)
                case Close():
                    return self._close(batch, execution, check)
                case _:
                    return False
        except Refused as refused:
            return self._fail(batch, refused.reason)
        except SinkError as error:
            may_pass = not isinstance(error, SinkTaken)
            reason = Reason(code=Code.SINK_FAILED, message=str(error), billed=batch.made > 0)
            return self._try_again(batch, reason, may_pass=may_pass)
        except UnreadableSource as error:
            message = f"{error}. Nothing was started: no run is started before all inputs are read."
            return self._try_again(
                batch, Reason(code=Code.INPUT_UNREADABLE, message=message, billed=False), may_pass=error.may_pass
            )

    # -- the inputs

    def _store_inputs(self, batch: Batch, execution: ExecutionToken, check: Callable[[], None]) -> bool:
        stored = InputFile(batch.sink)
        count = stored.count()
        if count is None:
            count = self._read(batch, stored, execution, check)
        if count is None:  # upkeep sends the next message in some seconds
            return False
        check_member_keys(batch.key, count, self.ledger)  # one may have been ordered beside the batch
        moved = move_batch(
            self.ledger,
            batch,
            BatchEvent.BEGIN,
            fields={"inputs": count, "begun_at": NOW, "failures": 0},
            due_in_s=0,
            timeline=TimelineEvent.INPUTS_STORED,
            data={"inputs": count},
        )
        self.ledger.batches.forget_inputs(batch.key)
        return moved

    def _read(
        self, batch: Batch, stored: InputFile, execution: ExecutionToken, check: Callable[[], None]
    ) -> int | None:
        """Store the inputs and return their number; None: this process reads as many sources as it may."""
        fill = partial(self._fill, batch, check)
        if batch.document.inputs_url is None:
            return stored.store(self.installation, batch.key, fill, execution)
        with self.places.held(batch.document.account) as has_place:
            return stored.store(self.installation, batch.key, fill, execution) if has_place else None

    def _fill(self, batch: Batch, check: Callable[[], None], take: Callable[[bytes], None]) -> None:
        """Hand over the inputs of the batch, a line each."""
        listed = self.ledger.batches.listed(batch.key)
        if listed is not None:
            take(listed + b"\n")
        elif (split := self.ledger.batches.split(batch.key)) is not None:
            for line in lines_of_split(split):
                take(line + b"\n")
        else:
            check_reader(batch, self.ledger)
            copy_source(batch.document.inputs_url or "", self.settings, take=take, keep_alive=check)

    # -- the end

    def _close(self, batch: Batch, execution: ExecutionToken, check: Callable[[], None]) -> bool:
        if batch.inputs is None:
            event, reason = judge_end(batch, billed=False)
            return self._end(batch, event, reason, manifest=None)
        sink = open_sink(batch.sink)
        with sink.staging(MANIFEST, execution) as file:
            head = BatchHead(
                batch=batch.key,
                installation=self.installation,
                queued_at=iso_time(batch.queued_at),
                retries=batch.retries,
                sink=batch.sink,
            )
            failed: list[Job] = []
            totals = write_manifest(file, head, self._members(batch, failed, check))
            billed = totals.cost_usd > 0 or totals.delivered > 0
            first = min(failed, key=lambda job: job.state is State.PARTIAL, default=None)
            event, reason = judge_end(batch, billed=billed, failed=first)
            complete = event is BatchEvent.DELIVER and totals.delivered == totals.inputs == batch.inputs
            write_tail(file, BatchTail(totals=totals, state=target(event), complete=complete, reason=reason))
            if not sink.publish(file, MANIFEST):
                sink.publish_instead(file, MANIFEST, aside=f"superseded-{batch.retries}/{MANIFEST}")
        if complete:
            sink.write_once(SUCCESS, b"")
        return self._end(batch, event, reason, manifest=sink.file_url(MANIFEST))

    def _members(self, batch: Batch, failed: list[Job], check: Callable[[], None]) -> Iterator[Member]:
        """Yield what became of each input, and add the first member of each state without all rows to `failed`."""
        block: list[tuple[int, str]] = []
        for number, line in enumerate(InputFile(batch.sink).lines()):
            block.append((number, hashlib.sha256(line).hexdigest()))
            if len(block) == MEMBERS_A_BLOCK:
                yield from self._looked_up(batch, block, failed)
                block.clear()
                check()
        yield from self._looked_up(batch, block, failed)

    def _looked_up(self, batch: Batch, block: list[tuple[int, str]], failed: list[Job]) -> Iterator[Member]:
        keys = [member_key(batch.key, number) for number, _ in block]
        for (number, sha256), key, job in zip(block, keys, self.ledger.load_many(keys), strict=True):
            if job and job.state in SHORT and job.state not in {each.state for each in failed}:
                failed.append(job)
            yield _member(number, key, sha256, job)

    def _end(self, batch: Batch, event: BatchEvent, reason: Reason | None, *, manifest: str | None) -> bool:
        delivered = event in {BatchEvent.DELIVER, BatchEvent.DELIVER_PARTIAL}
        state = target(event)
        return move_batch(
            self.ledger,
            batch,
            event,
            fields={
                "ended_at": NOW,
                "reason": reason.model_dump_json() if reason else None,
                "waiting_for": None,
                "waiting_since": None,
                "waiting_until": None,
                "manifest": manifest,
                "delivered_at": NOW if delivered else None,
                "failures": 0,
            },
            due_in_s=CALLERS_CARE_SECS,
            timeline=TimelineEvent.ENDED,
            data={"state": state, **({"code": reason.code, "message": reason.message} if reason else {})},
            guards={"retries": batch.retries or None},
        )

    # -- what went wrong

    def _fail(self, batch: Batch, reason: Reason) -> bool:
        return self._end(batch, BatchEvent.FAIL, reason, manifest=None)

    def _try_again(self, batch: Batch, reason: Reason, *, may_pass: bool) -> bool:
        """Plan another try; after some minutes of them, or if it can't help, the batch fails."""
        if not may_pass or batch.failures >= TRIES:
            return self._fail(batch, reason)
        change = BatchChange(
            due_in_s=back_off_s(TRY_AGAIN_SECS, batch.failures),
            fields={"failures": batch.failures + 1},
            event=TimelineEvent.INPUTS_FAILED if batch.inputs is None else TimelineEvent.STAGE_FAILED,
            data={"message": reason.message[:300]},
        )
        self.ledger.batches.change(batch.key, change, states=LIVE)
        return False


def _member(number: int, key: JobKey, sha256: str, job: Job | None) -> Member:
    if job is None:
        return Member(number=number, key=key, state=None, input_sha256=sha256)
    return Member(
        number=number,
        key=key,
        state=job.state,
        manifest=job.manifest,
        manifest_sha256=job.manifest_sha256,
        items=job.collection.items,
        bytes=job.collection.byte_count,
        records=job.collection.records,
        cost_usd=job.total_cost_usd,
        input_sha256=sha256,
    )

"""The stage *finish*: the receipts decide whether everything is here; then records, the manifest, and the job's end.

It may run twice and delivers once: the manifest is published create-if-absent and holds the outcome, so that a second
finish, also one that judges otherwise, ends the job as the first one decided.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from actorline.delivery.manifest import Manifest, RunFacts, StoredRecord, parts_of, totals_of
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import MANIFEST, SUCCESS, Sink, SinkError, open_sink
from actorline.delivery.windows import Gap, More, Pages, Proof, judge
from actorline.errors import Code, Reason
from actorline.jobs.ending import STOP_CODES, end_job, judge_end, stop_reason
from actorline.jobs.job import Job
from actorline.jobs.ledger import Ledger
from actorline.jobs.recording import RecordKeeper
from actorline.jobs.states import TRANSITIONS, Event, State, target
from actorline.jobs.step import Moved, Step, Stop, Wait
from actorline.jobs.watch import watch_secs
from actorline.platform.client import Platform
from actorline.settings import Settings

WAVE_TRIES: Final = 4  # waves that bring nothing before the missing pages are given up; each page has had its own tries
WAVE_BACK_OFF_SECS: Final = (2.0, 10.0, 30.0)
KEEP_ALIVE_SECS: Final = 5.0


@dataclass(frozen=True)
class Finisher:
    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str

    def advance(self, key: str, epoch: int, execution: str) -> Step:
        """Moved: another wave is needed now; Wait: in so many seconds; Ended: the job has its end."""
        job = self.ledger.load(key)
        if job is None or job.epoch != epoch or job.state is not State.COLLECTING:
            return Stop()
        pages = self.ledger.pages(key, job.attempt)
        if job.wanted:
            reason = stop_reason(job, job.wanted)
            self.ledger.change(
                key,
                states={State.COLLECTING},
                epoch=epoch,
                fields={"wanted": "", "reason": reason},
            )
            return self._deliver(job.model_copy(update={"reason": reason}), pages, reason, execution)
        if not job.order.collect.dataset:
            return self._deliver(job, pages, None, execution)
        start, limit = job.order.collect.offset, job.order.collect.limit
        verdict = judge(pages, start=start, stop=None if limit is None else start + limit)
        match verdict:
            case Proof(end=end):
                return self._settle(job, pages, end, execution)
            case More(end=end):
                return self._read_on(job, pages, end)
            case Gap():
                return self._mend(job, pages, verdict, execution)

    def _settle(self, job: Job, pages: Pages, end: int, execution: str) -> Step:
        """The end was read. It is believed once that was after the platform's counters had time to settle, and unless
        the platform itself names a larger total.
        """
        limit = job.order.collect.limit
        if limit is not None and end >= job.order.collect.offset + limit:
            return self._deliver(job, pages, None, execution)
        total = _named_total(pages)
        if total > end:
            gap = Gap([max(pages)], f"the platform names {total:,} items and shows {end:,}")
            return self._mend(job, pages, gap, execution)
        if (job.planned_at or 0) >= self._settled_at(job):
            return self._deliver(job, pages, None, execution)
        return self._again(job, max(self._settled_at(job) - self.ledger.now(), 0))

    def _read_on(self, job: Job, pages: Pages, end: int) -> Step:
        """What lies behind the last page is read at once if there is known to be more, else when it must be there."""
        known_more = _named_total(pages) > end
        return self._again(job, 0 if known_more else max(self._settled_at(job) - self.ledger.now(), 0))

    def _settled_at(self, job: Job) -> float:
        return (job.collecting_at or 0) + self.settings.dataset_lag_secs

    def _mend(self, job: Job, pages: Pages, gap: Gap, execution: str) -> Step:
        """Some pages aren't stored: fetch just those again, and after some waves end without them."""
        bad = [page for page in pages.values() if isinstance(page, Receipt) and not page.is_good]
        vanished = any(page.code is Code.DATASET_VANISHED for page in bad)
        if job.failures < WAVE_TRIES - 1 and not vanished:
            return self._again(job, WAVE_BACK_OFF_SECS[min(job.failures, len(WAVE_BACK_OFF_SECS) - 1)], failed=True)
        code = Code.DATASET_VANISHED if vanished else (bad[0].code if bad and bad[0].code else Code.PAGE_UNREADABLE)
        said = f": {bad[0].error}" if bad else f" ({gap.why})"
        message = f"{len(gap.page_nos)} of {len(pages)} pages could not be stored{said}"
        return self._deliver(job, pages, Reason(code=code, message=message, billed=job.run_id is not None), execution)

    def _again(self, job: Job, seconds: float, *, failed: bool = False) -> Step:
        won = self.ledger.change(
            job.key,
            states={State.COLLECTING},
            epoch=job.epoch,
            care_s=seconds + watch_secs(self.settings),
            fields={"sent_at": "@now", "failures": job.failures + 1 if failed else 0},
        )
        if won is None:
            return Stop()
        return Wait(seconds) if seconds else Moved()

    def _deliver(self, job: Job, pages: Pages, failure: Reason | None, execution: str) -> Step:
        try:
            sink = open_sink(job.sink_url)
            records, failure = self._records(job, sink, failure, execution)
            counted = job.model_copy(update={"records": len(records)})
            event, reason = judge_end(counted, failure=failure)
            manifest = self._manifest(job, pages, records, target(event), reason)
            if not sink.write_once(MANIFEST, manifest.model_dump_json(indent=2).encode() + b"\n"):
                with sink.open(MANIFEST) as file:
                    manifest = Manifest.model_validate_json(file.read())
            if manifest.complete:
                sink.write_once(SUCCESS, b"")
        except _SupersededError:
            return Stop()
        except SinkError as error:
            reason = Reason(code=Code.SINK_FAILED, message=str(error), billed=job.run_id is not None)
            event = STOP_CODES.get(job.reason.code, Event.FAIL) if job.reason else Event.FAIL
            return end_job(self.ledger, job, event, job.reason or reason)
        (event,) = (event for event in TRANSITIONS[State.COLLECTING] if target(event) == manifest.state)
        delivered = event in {Event.DELIVER, Event.DELIVER_PARTIAL}
        return end_job(
            self.ledger,
            job,
            event,
            manifest.reason,
            fields={
                "manifest": sink.file_url(MANIFEST),
                "records": len(manifest.records),
                "delivered_at": "@now" if delivered else None,
            },
        )

    def _records(
        self, job: Job, sink: Sink, failure: Reason | None, execution: str
    ) -> tuple[list[StoredRecord], Reason | None]:
        """Store the records that were ordered. Raises PlatformError if they can't be listed: that is tried again."""
        collect = job.order.collect
        if not job.key_value_store_id or not (collect.records or collect.all_records):
            return [], failure
        keeper = RecordKeeper(self.platform, job.key_value_store_id, sink, execution)
        record_keys = keeper.keys(collect.records, all_of_them=collect.all_records)
        stored, failed = keeper.store(record_keys, self._keep_alive(job))
        if failed and failure is None:
            message = failed[0].message if len(failed) == 1 else f"{len(failed)} records: {failed[0].message}"
            failure = Reason(code=Code.RECORD_UNREADABLE, message=message, billed=job.run_id is not None)
        return stored, failure

    def _keep_alive(self, job: Job) -> Callable[[], None]:
        """Thousands of records take a while: say now and then that this execution lives; stop if it lost the job."""
        last = time.monotonic()

        def keep_alive() -> None:
            nonlocal last
            if time.monotonic() - last < KEEP_ALIVE_SECS:
                return
            last = time.monotonic()
            won = self.ledger.change(
                job.key,
                states={State.COLLECTING},
                epoch=job.epoch,
                guards={"wanted": ""},
                care_s=watch_secs(self.settings),
                fields={"sent_at": "@now"},
            )
            if won is None:
                raise _SupersededError

        return keep_alive

    def _manifest(
        self, job: Job, pages: Pages, records: list[StoredRecord], state: State, reason: Reason | None
    ) -> Manifest:
        parts = parts_of([page for page in pages.values() if isinstance(page, Receipt) and page.is_good])
        name, value = job.order.target
        query: dict[str, Any] = {**job.order.collect.query(), "offset": job.order.collect.offset}
        run = RunFacts(
            id=job.run_id,
            status=job.run_status,
            status_message=job.run_message,
            started_at=job.run_started_at,
            finished_at=job.run_finished_at,
            cost_usd=job.cost_usd,
        )
        return Manifest(
            job=job.key,
            installation=self.installation,
            attempt=job.attempt,
            target={name: value},
            run=run if job.run_id else None,
            dataset_id=job.dataset_id,
            query=query | {"limit": job.order.collect.limit},
            format=job.order.collect.format,
            compression=job.order.sink.compression,
            parts=parts,
            records=records,
            totals=totals_of(parts, records),
            state=state,
            complete=reason is None,
            reason=reason,
        )


class _SupersededError(Exception):
    """The job is in other hands by now, or isn't wanted any more."""


def _named_total(pages: Pages) -> int:
    """The largest total that the platform named in the last answers; it lags, but never runs ahead."""
    return max((page.total or 0 for page in pages.values() if isinstance(page, Receipt)), default=0)

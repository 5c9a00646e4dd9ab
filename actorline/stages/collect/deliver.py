"""A job's delivery: records, the manifest, and with it the job's end.

It may be made twice and is delivered once: the manifest is published create-if-absent and holds the outcome, so that a
second execution, also one that judges otherwise, ends the job as the first one decided. Each step is safe to repeat
after a SIGKILL.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from actorline.delivery.assembler import Assembler, Rows, remove_staged
from actorline.delivery.folder import attempt_folder, leftovers, made_anew, superseded_folder
from actorline.delivery.formats.staged_page import AssemblyFailed
from actorline.delivery.formats.table import FORMATS
from actorline.delivery.manifest import Manifest, RunFacts, Totals, fingerprint, totals_of
from actorline.delivery.page_plan import Pages
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import MANIFEST, SUCCESS, MissingFile, Sink, SinkError, open_sink
from actorline.errors import Code, Reason
from actorline.jobs.fields import NOW
from actorline.jobs.job import Job, iso_time
from actorline.jobs.secret import withheld_records
from actorline.jobs.states import TRANSITIONS, Event, State, target
from actorline.jobs.step import LostJob, Step, Stop
from actorline.jobs.timeline_event import TimelineEvent
from actorline.keep_alive import renewed
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.platform.client import Platform
from actorline.settings import Settings
from actorline.stages.collect.record_blocks import Records, StoreKeeper
from actorline.stages.collect.records import RecordKeeper
from actorline.stages.ending import SINK_TRIES, end_for_sink, end_job, judge_end
from actorline.stages.reuse import remember_delivery

KEEP_ALIVE_SECS: Final = 5.0
PUBLISH_TRIES: Final = 3  # each is lost to an execution of an older end that publishes at this very moment


@dataclass(frozen=True)
class Deliverer:
    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str

    def deliver(self, job: Job, pages: Pages, failure: Reason | None, execution: str) -> Step:
        """End the job with what is stored of it; `failure`: why that isn't everything.

        Raises PlatformError if the records can't be listed, and SinkError while that may pass: both are tried again.
        """
        receipts = [page for page in pages.values() if isinstance(page, Receipt) and page.is_good]
        try:
            sink = open_sink(job.sink_url)
            with renewed(lambda: self._say_alive(job), KEEP_ALIVE_SECS) as keep_alive:
                manifest = self._clear_the_way(sink, job, receipts)
                if manifest is None:
                    made = self._make(job, sink, receipts, failure, execution, keep_alive)
                    manifest = self._publish(sink, job, receipts, made)
                if _replaces(sink, manifest):
                    _set_aside(sink, leftovers(sink.names(), manifest), job.retries)
                if manifest.complete:
                    sink.write_once(SUCCESS, b"")
                    if FORMATS[job.document.collect.format].is_staged(single_file=job.document.sink.single_file):
                        remove_staged(sink, attempt_folder(job.attempt))
                sink.clear_staging()
        except LostJob:
            return Stop()
        except SinkError as error:
            return end_for_sink(self.ledger, job, error, failure)
        return self._end(job, manifest, sink.file_url(MANIFEST))

    def _end(self, job: Job, manifest: Manifest, url: str) -> Step:
        (event,) = (event for event in TRANSITIONS[State.COLLECTING] if target(event) == manifest.state)
        delivered = event in {Event.DELIVER, Event.DELIVER_PARTIAL}
        if event is Event.DELIVER:
            remember_delivery(self.ledger, self.settings, job)
        return end_job(
            self.ledger,
            job,
            event,
            manifest.reason,
            fields={
                "manifest": url,
                "manifest_sha256": fingerprint(manifest),
                "bytes": manifest.totals.bytes,
                "records": manifest.totals.records,
                "delivered_at": NOW if delivered else None,
            },
        )

    # -- the place of the manifest

    def _clear_the_way(self, sink: Sink, job: Job, receipts: Sequence[Receipt]) -> Manifest | None:
        """Answer the manifest if this end has one already. An older end's is set aside, with the files in whose place
        others may be made. Raises LostJob.
        """
        found = _find_manifest(sink)
        if found is None or self._is_of_this_end(found, job):
            return found
        self._say_alive(job)  # who has lost the job must not set aside what its next owner made
        stored = {receipt.part or "" for receipt in receipts}
        # the manifest last: it names the others
        _set_aside(sink, [*made_anew(found, stored), SUCCESS, MANIFEST], job.retries)
        return None

    def _publish(self, sink: Sink, job: Job, receipts: Sequence[Receipt], made: Manifest) -> Manifest:
        """Publish a manifest, and return the one that is there then."""
        text = made.model_dump_json(indent=2).encode() + b"\n"
        for _ in range(PUBLISH_TRIES):
            if sink.write_once(MANIFEST, text):
                return made
            if first := self._clear_the_way(sink, job, receipts):
                return first
        raise SinkError(f"The sink {sink} can't store the manifest: other processes keep writing there.")

    def _is_of_this_end(self, found: Manifest, job: Job) -> bool:
        run_id = found.run.id if found.run else None
        there = (found.installation, found.job, found.queued_at, found.retries, found.attempt, run_id, found.dataset_id)
        return there == (
            self.installation, job.key, iso_time(job.queued_at), job.retries, job.attempt, job.run_id, job.dataset_id
        )  # fmt: skip

    # -- what is delivered

    def _make(
        self,
        job: Job,
        sink: Sink,
        receipts: Sequence[Receipt],
        failure: Reason | None,
        execution: str,
        keep_alive: Callable[[], None],
    ) -> Manifest:
        records = self._records(job, sink, execution, keep_alive)
        if records.failure and failure is None:
            message = records.failure if records.failed == 1 else f"{records.failed:,} records: {records.failure}"
            failure = Reason(code=Code.RECORD_UNREADABLE, message=message, billed=job.run_id is not None)
        rows, failure = self._rows(job, sink, receipts, failure, execution, keep_alive)
        totals = totals_of(rows.parts, records.listed, records.indexes)
        counted = job.model_copy(update={"records": totals.records})
        event, reason = judge_end(counted, failure=failure)
        return self._manifest(job, rows, records, totals, target(event), reason)

    def _rows(
        self,
        job: Job,
        sink: Sink,
        receipts: Sequence[Receipt],
        failure: Reason | None,
        execution: str,
        keep_alive: Callable[[], None],
    ) -> tuple[Rows, Reason | None]:
        """Put staged pages together. Pages that can't become what was ordered are delivered as they are."""
        order = job.document
        assembler = Assembler(
            sink=sink,
            folder=attempt_folder(job.attempt),
            format_=FORMATS[order.collect.format],
            query=order.collect.query(),
            compression=order.sink.compression,
            single_file=order.sink.single_file,
            execution=execution,
            keep_alive=keep_alive,
            confirm=lambda: self._say_alive(job),
        )
        try:
            return assembler.assemble(receipts), failure
        except AssemblyFailed as error:
            message = (
                f"The rows can't be converted to {order.collect.format}: {error}. All of them are stored as JSON lines."
            )
            reason = Reason(code=Code.FORMAT_FAILED, message=message, billed=job.run_id is not None)
            return assembler.leave(receipts), failure or reason

    def _records(self, job: Job, sink: Sink, execution: str, keep_alive: Callable[[], None]) -> Records:
        """Store the records that were ordered."""
        collect = job.document.collect
        if not job.key_value_store_id or not (collect.records or collect.all_records):
            return Records()
        folder = attempt_folder(job.attempt)
        superseded = superseded_folder(job.retries)
        keeper = RecordKeeper(
            self.platform,
            job.key_value_store_id,
            sink,
            folder,
            superseded,
            execution,
            gives_up=job.failures >= SINK_TRIES,
            allowed=partial(self._without_secrets, job, json.loads(self.ledger.load_input(job.key))),
        )
        if collect.all_records:
            return StoreKeeper(keeper, self.ledger, job, keep_alive).store_all()
        return Records.of(*keeper.store(dict.fromkeys(collect.records), keep_alive))

    def _without_secrets(self, job: Job, given: Any, record_keys: Iterable[str]) -> list[str]:
        """Return what may be delivered; the timeline says what isn't: an input that holds a secret, or may hold one."""
        asked = list(record_keys)
        withheld = withheld_records(asked, job.document, given)
        if withheld:
            self.ledger.timeline.add(
                job.key, TimelineEvent.RECORDS_WITHHELD, records=withheld, message="An input may hold a secret."
            )
        return [key for key in asked if key not in withheld]

    def _manifest(
        self, job: Job, rows: Rows, records: Records, totals: Totals, state: State, reason: Reason | None
    ) -> Manifest:
        name, value = job.document.target
        query: dict[str, Any] = {**job.document.collect.query(), "offset": job.document.collect.offset}
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
            queued_at=iso_time(job.queued_at),
            attempt=job.attempt,
            retries=job.retries,
            target={name: value},
            run=run if job.run_id else None,
            dataset_id=job.dataset_id,
            query=query | {"limit": job.document.collect.limit},
            format=rows.format,
            compression=rows.compression,
            parts=rows.parts,
            records=list(records.listed),
            record_indexes=list(records.indexes),
            totals=totals,
            state=state,
            complete=reason is None,
            reason=reason,
        )

    def _say_alive(self, job: Job) -> None:
        """Tell upkeep that this execution is alive, as a large delivery takes a while; stop if it lost the job."""
        won = self.ledger.change(
            job.key,
            Change(guards={"stop_wish": ""}, due_in_s=self.settings.lost_message_secs, fields={"sent_at": NOW}),
            states={State.COLLECTING},
            epoch=job.epoch,
        )
        if won is None:
            raise LostJob


def _find_manifest(sink: Sink) -> Manifest | None:
    try:
        return Manifest.model_validate_json(sink.read(MANIFEST))
    except MissingFile:
        return None
    except ValidationError:
        message = f"{sink.file_url(MANIFEST)} is not a manifest of version 1. Move it away, and retry the job."
        raise SinkError(message) from None


def _replaces(sink: Sink, manifest: Manifest) -> bool:
    """Return whether older files of the job may be there. Where nothing is replaced other files may be anybody's: the
    folder may have been chosen by a person.
    """
    return manifest.attempt > 1 or manifest.retries > 0 or bool(sink.files_in(superseded_folder(manifest.retries)))


def _set_aside(sink: Sink, names: Sequence[str], number: int) -> None:
    for name in names:
        sink.move(name, superseded_folder(number) + name)

"""What a delivery consists of: rows, records, and the manifest that lists them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from actorline.delivery.assembler import Assembler, Rows
from actorline.delivery.execution import Execution
from actorline.delivery.folder import attempt_folder, superseded_folder
from actorline.delivery.formats.staged_page import AssemblyFailed
from actorline.delivery.formats.table import FORMATS
from actorline.delivery.manifest import Manifest, RunFacts, Totals, totals_of
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import Sink
from actorline.errors import Code, Reason
from actorline.jobs.document.secret import withheld_records
from actorline.jobs.job import Job
from actorline.jobs.states import State, target
from actorline.jobs.timeline_event import TimelineEvent
from actorline.jobs.times import iso_time
from actorline.ledger.ledger import Ledger
from actorline.platform.client import Platform
from actorline.stages.collect.comparison import Comparison
from actorline.stages.collect.record_blocks import Records, StoreKeeper
from actorline.stages.collect.records import RecordKeeper
from actorline.stages.ending import SINK_TRIES, STOP_CODES, judge_end


@dataclass(frozen=True)
class Contents:
    """Made by one execution, whose `confirm` raises LostJob, for one job."""

    ledger: Ledger
    platform: Platform
    installation: str
    job: Job
    sink: Sink
    execution: Execution

    def make(self, receipts: Sequence[Receipt], failure: Reason | None) -> Manifest:
        """Store rows and records, and return the manifest; `failure`: why the rows aren't everything.

        The first failure is the reason of the end: of the rows, then of the records, then of the format.
        """
        records = self._records(is_stopped=failure is not None and failure.code in STOP_CODES)
        rows, unconverted = self._rows(receipts)
        failure = failure or self._record_failure(records) or unconverted
        totals = totals_of(rows.parts, records.listed, records.indexes)
        collection = self.job.collection.after({"records": totals.records})
        counted = self.job.model_copy(update={"collection": collection})
        event, reason = judge_end(counted, failure=failure)
        manifest = self._manifest(rows, records, totals, target(event), reason)
        comparison = Comparison(self.ledger, self.job, self.sink, self.execution)
        return comparison.add_to(manifest)

    def _record_failure(self, records: Records) -> Reason | None:
        if not records.failure:
            return None
        first = records.failure
        message = first.message if records.failed == 1 else f"{records.failed:,} records: {first.message}"
        billed = self.job.run.id is not None
        return Reason(code=Code.RECORD_UNREADABLE, message=message, platform_type=first.platform_type, billed=billed)

    def _rows(self, receipts: Sequence[Receipt]) -> tuple[Rows, Reason | None]:
        """Put staged pages together. Pages that can't become what was ordered are delivered as they are: why."""
        document = self.job.document
        assembler = Assembler(
            sink=self.sink,
            folder=attempt_folder(self.job.attempt),
            format_=FORMATS[document.collect.format],
            query=document.collect.query(),
            compression=document.sink.compression,
            single_file=document.sink.single_file,
            execution=self.execution,
        )
        try:
            return assembler.assemble(receipts), None
        except AssemblyFailed as error:
            message = (
                f"The rows can't be converted to {document.collect.format}: {error}. All of them are stored as JSON "
                "lines."
            )
            reason = Reason(code=Code.FORMAT_FAILED, message=message, billed=self.job.run.id is not None)
            return assembler.leave(receipts), reason

    def _records(self, *, is_stopped: bool) -> Records:
        """Store the records that were ordered."""
        job, collect = self.job, self.job.document.collect
        if not job.run.key_value_store_id or not (collect.records or collect.all_records):
            return Records()
        given = json.loads(self.ledger.load_input(job.key))
        keeper = RecordKeeper(
            self.platform,
            job.run.key_value_store_id,
            self.sink,
            attempt_folder(job.attempt),
            superseded_folder(job.retries),
            self.execution,
            gives_up=job.failures >= SINK_TRIES,
            allowed=lambda record_keys: self._without_secrets(given, record_keys),
        )
        if collect.all_records:
            return StoreKeeper(keeper, self.ledger, job, is_stopped).store_all()
        return Records.of(*keeper.store(dict.fromkeys(collect.records)))

    def _without_secrets(self, given: Any, record_keys: Iterable[str]) -> list[str]:
        """Return what may be delivered; the timeline says what isn't: an input that holds a secret, or may hold one."""
        asked = list(record_keys)
        withheld = withheld_records(asked, self.job.document, given)
        if withheld:
            self.ledger.timeline.add(
                self.job.key, TimelineEvent.RECORDS_WITHHELD, records=withheld, message="An input may hold a secret."
            )
        return [key for key in asked if key not in withheld]

    def _manifest(self, rows: Rows, records: Records, totals: Totals, state: State, reason: Reason | None) -> Manifest:
        job = self.job
        name, value = job.document.target
        query: dict[str, Any] = {**job.document.collect.query(), "offset": job.document.collect.offset}
        run = RunFacts(
            id=job.run.id,
            status=job.run.status,
            status_message=job.run.message,
            started_at=job.run.started_at,
            finished_at=job.run.finished_at,
            cost_usd=job.run.cost_usd,
        )
        return Manifest(
            job=job.key,
            installation=self.installation,
            queued_at=iso_time(job.queued_at),
            attempt=job.attempt,
            retries=job.retries,
            target={name: value},
            run=run if job.run.id else None,
            dataset_id=job.run.dataset_id,
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

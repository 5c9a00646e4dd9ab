"""A job's delivery: records, the manifest, and with it the job's end.

It may be made twice and is delivered once: the manifest is published create-if-absent and holds the outcome, so that a
second execution, also one that judges otherwise, ends the job as the first one decided. Each step is safe to repeat
after a SIGKILL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from actorline.delivery.assembler import remove_staged
from actorline.delivery.execution import Execution
from actorline.delivery.folder import attempt_folder, leftovers, made_anew, superseded_folder
from actorline.delivery.formats.table import FORMATS
from actorline.delivery.manifest import Manifest, fingerprint
from actorline.delivery.page_plan import Pages
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import MANIFEST, SUCCESS, MissingFile, Sink, SinkError, open_sink
from actorline.errors import Reason
from actorline.identifiers import ExecutionToken
from actorline.jobs.document.delta import JobChanges
from actorline.jobs.fields import NOW
from actorline.jobs.job import Job
from actorline.jobs.states import TRANSITIONS, Event, State, target
from actorline.jobs.step import LastStep, LostJob, Stop
from actorline.jobs.times import iso_time
from actorline.keep_alive import renewed
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.platform.client import Platform
from actorline.settings import Settings
from actorline.stages.collect.contents import Contents
from actorline.stages.ending import end_for_sink, end_job
from actorline.stages.reuse import remember_delivery

DELIVERY_KEEP_ALIVE_SECS: Final = 5.0
PUBLISH_TRIES: Final = 3  # each is lost to an execution of an older end that publishes at this very moment

log = Logger(__name__)


@dataclass(frozen=True)
class Deliverer:
    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str

    def deliver(self, job: Job, pages: Pages, failure: Reason | None, execution: ExecutionToken) -> LastStep:
        """End the job with what is stored of it; `failure`: why that isn't everything.

        Raises PlatformError if the records can't be listed, and SinkError while that may pass: both are tried again.
        """
        receipts = [page for page in pages.values() if isinstance(page, Receipt) and page.is_good]
        try:
            sink = open_sink(job.sink_url)
            with renewed(lambda: self._say_alive(job), DELIVERY_KEEP_ALIVE_SECS) as keep_alive:
                manifest = self._clear_the_way(sink, job, receipts)
                if manifest is None:
                    contents = Contents(
                        self.ledger,
                        self.platform,
                        self.installation,
                        job,
                        sink,
                        Execution(execution, keep_alive, confirm=lambda: self._say_alive(job)),
                    )
                    manifest = self._publish(sink, job, receipts, contents.make(receipts, failure))
                if _replaces(sink, manifest):
                    self._say_alive(job)  # a retry may have begun, whose pages no manifest lists yet
                    _set_aside(sink, leftovers(sink.names(), manifest), job.retries)
                if manifest.complete:
                    sink.write_once(SUCCESS, b"")
                _clean_up(sink, job, manifest)
        except LostJob:
            return Stop()
        except SinkError as error:
            return end_for_sink(self.ledger, job, error, failure)
        return self._end(job, manifest, sink.file_url(MANIFEST))

    def _end(self, job: Job, manifest: Manifest, url: str) -> LastStep:
        (event,) = (event for event in TRANSITIONS[State.COLLECTING] if target(event) == manifest.state)
        delivered = event in {Event.DELIVER, Event.DELIVER_PARTIAL}
        if event is Event.DELIVER:
            if job.document.guard:
                self.ledger.pages.drop_row_keys(job.key, job.attempt)
            if job.broken is None:
                remember_delivery(self.ledger, self.settings, job)
        changes = JobChanges.of(manifest.changes) if manifest.changes else None
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
                "changes": changes,
            },
            data=_told_of(changes) if changes else None,
        )

    # -- the place of the manifest

    def is_published(self, job: Job) -> bool:
        """Return whether this end has its manifest, and only the job's own end is missing. Raises SinkError."""
        found = _find_manifest(open_sink(job.sink_url))
        return found is not None and self._is_of_this_end(found, job)

    def _clear_the_way(self, sink: Sink, job: Job, receipts: Sequence[Receipt]) -> Manifest | None:
        """Return the manifest if this end has one already. An older end's is set aside, with the files in whose place
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
        run = (found.run.id, found.run.finished_at) if found.run else (None, None)  # a run may end more than once
        there = (found.installation, found.job, found.queued_at, found.retries, found.attempt, found.dataset_id)
        wanted = (self.installation, job.key, iso_time(job.queued_at), job.retries, job.attempt, job.run.dataset_id)
        return (*there, *run) == (*wanted, job.run.id, job.run.finished_at)

    def _say_alive(self, job: Job) -> None:
        """Tell upkeep that this execution is alive, as a large delivery takes a while; stop if it lost the job."""
        won = self.ledger.change(
            job.key,
            Change(
                guards={"stop_wish": job.stop_wish},
                due_in_s=self.settings.lost_message_secs,
                fields={"sent_at": NOW},
            ),
            states={State.COLLECTING},
            epoch=job.epoch,
        )
        if won is None:
            raise LostJob


def _told_of(changes: JobChanges) -> dict[str, object]:
    """Return what the timeline says of the changes."""
    if changes.error is not None:
        return {"not_compared": changes.error}
    told: dict[str, object] = {"added": changes.added, "removed": changes.removed, "changed": changes.changed}
    return told | ({"without_key": changes.without_key} if changes.without_key else {})


def _find_manifest(sink: Sink) -> Manifest | None:
    try:
        return Manifest.model_validate_json(sink.read(MANIFEST))
    except MissingFile:
        return None
    except ValidationError:
        raise SinkError(
            f"{sink.file_url(MANIFEST)} is not a manifest of version 1. Move it away, and retry the job."
        ) from None


def _replaces(sink: Sink, manifest: Manifest) -> bool:
    """Return whether older files of the job may be there. Where nothing is replaced other files may be anybody's: the
    folder may have been chosen by a person.
    """
    return manifest.attempt > 1 or manifest.retries > 0 or bool(sink.files_in(superseded_folder(manifest.retries)))


def _clean_up(sink: Sink, job: Job, manifest: Manifest) -> None:
    """Remove what the delivery is no longer made of. It is delivered, also if that can't be removed."""
    is_staged = FORMATS[job.document.collect.format].is_staged(single_file=job.document.sink.single_file)
    try:
        if manifest.complete and is_staged:
            remove_staged(sink, attempt_folder(job.attempt))
        sink.clear_staging()
    except SinkError as error:
        log.warning("sink_not_cleaned", job_key=job.key, error=str(error))


def _set_aside(sink: Sink, names: Sequence[str], number: int) -> None:
    for name in names:
        sink.move(name, superseded_folder(number) + name)

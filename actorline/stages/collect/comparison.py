"""What changed since the base of a job (`delta`): found when all rows are there, before the manifest lists it.

The rows are paid for and stored. So a comparison that fails is tried again while that may help, and is then reported
beside them: the job is DELIVERED all the same.
"""

from dataclasses import dataclass
from typing import Final

from actorline.delivery.changes.find_changes import ChangesFinder, ComparisonFailed
from actorline.delivery.execution import Execution
from actorline.delivery.folder import attempt_folder
from actorline.delivery.manifest import Changes, Manifest
from actorline.delivery.read_back import DamagedDelivery, Delivery, NoDelivery, UnreadableRows
from actorline.delivery.sink import Sink, SinkError
from actorline.identifiers import JobKey
from actorline.jobs.delivered import open_delivered
from actorline.jobs.document.delta import LAST, Delta
from actorline.jobs.job import Job
from actorline.jobs.series import Series
from actorline.jobs.states import State
from actorline.jobs.step import LostJob
from actorline.jobs.timeline_event import TimelineEvent
from actorline.json_size import fitting
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.listing import Cursor
from actorline.ledger.queries.series import delivered_before
from actorline.ledger.stored_job import UnreadableJob
from actorline.logs import Logger
from actorline.orders.delta import UnusableBase, load_base

NO_BASE: Final = "-"  # no key is written like this
COMPARISON_TRIES: Final = 2  # an outage of a sink that is over in seconds; each try compares everything again
ERROR_BYTES: Final = 500  # a result has 4 kB

log = Logger(__name__)


@dataclass(frozen=True)
class Comparison:
    """Made by one execution, whose `confirm` raises LostJob, for one job."""

    ledger: Ledger
    job: Job
    sink: Sink
    execution: Execution

    def add_to(self, manifest: Manifest) -> Manifest:
        """Return the manifest with what changed, if that was ordered. Raises SinkError while that may pass."""
        delta = self.job.document.delta
        if delta is None:
            return manifest
        if not manifest.complete:
            why = f"only the rows of a complete delivery are compared; this one is {manifest.state}"
            return manifest.model_copy(update={"changes": Changes(key=delta.key, base=None, error=why)})
        return manifest.model_copy(update={"changes": self._changes(manifest, delta)})

    def _changes(self, manifest: Manifest, delta: Delta) -> Changes:
        base = self._base(delta)
        found = Changes(key=delta.key, base=base)
        try:
            before = self._open(base) if base else None
            after = Delivery(self.sink, manifest)
            return found.model_copy(update={"counts": self._finder.find(before, after, delta.key)})
        except (ComparisonFailed, NoDelivery, DamagedDelivery, UnreadableRows, UnreadableJob) as error:
            why = str(error)
        except OSError as error:  # no room for temporary files, or for a process
            why = f"this machine can't do it: {error.strerror or type(error).__name__}"
        except SinkError as error:
            if self.job.failures < COMPARISON_TRIES:
                raise
            why = str(error)
        log.warning("not_compared", job_key=self.job.key, base=base, message=why)
        return found.model_copy(update={"error": fitting(f"The rows could not be compared: {why}", ERROR_BYTES)})

    @property
    def _finder(self) -> ChangesFinder:
        return ChangesFinder(
            self.sink,
            attempt_folder(self.job.attempt),
            self.job.document.sink.compression,
            self.execution,
        )

    def _open(self, base: JobKey) -> Delivery:
        try:
            return open_delivered(load_base(self.ledger, base, self.job.key))
        except UnusableBase as error:
            raise ComparisonFailed(str(error)) from None

    def _base(self, delta: Delta) -> JobKey | None:
        """Return the job to compare with, which is decided once: whatever is repeated makes the same files."""
        decided = self.job.delta_base or self._decide(delta)
        return None if decided == NO_BASE else JobKey(decided)

    def _decide(self, delta: Delta) -> str:
        base = delta.base if delta.base != LAST else find_last(self.ledger, self.job) or NO_BASE
        won = self.ledger.change(
            self.job.key,
            Change(
                guards={"delta_base": None},
                fields={"delta_base": base},
                event=TimelineEvent.COMPARING,
                data={} if base == NO_BASE else {"base": base},
            ),
            states={State.COLLECTING},
            epoch=self.job.epoch,
        )
        if won is not None:
            return base
        now = self.ledger.load(self.job.key)
        if now is None or now.epoch != self.job.epoch or not now.delta_base:
            raise LostJob
        return now.delta_base


def find_last(ledger: Ledger, job: Job) -> JobKey | None:
    """Return the newest DELIVERED job of the same series that was ordered before this one; None: there is none.

    Of a batch's members only one with the same input counts: the inputs may have moved.
    """
    series = Series.of(job.key, job.document)
    if series is None:
        return None
    given = ledger.input_sha256(job.key)
    for earlier in delivered_before(ledger, series, Cursor(job.queued_at, job.key)):
        if series.number is None or (given and ledger.input_sha256(earlier.key) == given):
            return earlier.key
    return None

"""What becomes of a job whose run turns out to be running, just before its rows are delivered: the platform has taken
its end back, or somebody resurrected it. Its rows aren't all there, and it bills.

The job is RUNNING again, so that whatever watches and stops a run does so with this one. When it has ended once more,
reading goes on behind what is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from actorline.delivery.folder import superseded_folder
from actorline.delivery.formats.table import FORMATS
from actorline.delivery.page_plan import Pages
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import open_sink
from actorline.errors import Code
from actorline.jobs.fields import NOW, JobFields
from actorline.jobs.job import Job, StopWish
from actorline.jobs.states import Event, State
from actorline.jobs.timeline_event import TimelineEvent
from actorline.jobs.times import iso_time_of
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.platform.client import Platform
from actorline.platform.errors import PlatformError, PlatformUnavailable, UnusableResponse
from actorline.platform.runs import Run, get_run
from actorline.settings import Settings
from actorline.stages.seen_run import SEEN_RUNNING, run_fields

STOPPED_BY: Final[Mapping[Code, StopWish]] = {
    Code.CANCELLED: StopWish.CANCEL,
    Code.DEADLINE: StopWish.EXPIRE,
    Code.BUDGET: StopWish.BUDGET,
}

log = Logger(__name__)


@dataclass(frozen=True)
class LastLook:
    """The one look at the run between the read of the rows' end and the delivery."""

    ledger: Ledger
    platform: Platform
    settings: Settings

    def read(self, job: Job, *, is_needed: bool = False) -> Run | None:
        """Return the run; None: there is none, it can't be read, or it is left alone.

        Raises PlatformUnavailable if it `is_needed` and nobody wants the job to stop: its delivery waits.
        """
        if job.run.id is None or (job.stop_wish and not job.document.may_abort):
            return None
        try:
            return get_run(self.platform, job.run.id)
        except PlatformError as error:  # its rows are here, and what was last known of it has to do
            is_outage = isinstance(error, PlatformUnavailable) and not isinstance(error, UnusableResponse)
            if is_needed and is_outage and not job.stop_wish:
                raise
            log.warning("last_look_failed", job_key=job.key, error=str(error))
            return None

    def go_back(self, job: Job, pages: Pages, run: Run) -> None:
        """Let the job watch its run again, or abort it again, if it was to stop. Raises SinkError."""
        if job.document.collect.desc or not FORMATS[job.document.collect.format].is_cut:
            self._forget(job, pages)
        wish = _wish_of(job)
        then = "is aborted again" if wish else "is watched on"
        self.ledger.move(
            job,
            Event.RUN_AGAIN,
            Change(
                due_in_s=0,
                guards={"stop_wish": job.stop_wish},
                event=TimelineEvent.RUN_AGAIN,
                data={
                    "run_status": run.status,
                    "message": f"others have resurrected it, or the platform took its end back. It {then}",
                },
                fields={
                    "sent_at": NOW,
                    "is_planned": True,
                    "failures": 0,
                    "failed_alike": 0,
                    **run_fields(job, run, self.settings),
                    **SEEN_RUNNING,
                    "grew_at": NOW,
                    "run_log": None,
                    "reason": None,
                    "stop_wish": wish,
                    "broken": job.broken if wish is StopWish.GUARD else None,
                },
            ),
        )

    def _forget(self, job: Job, pages: Pages) -> None:
        """Forget pages that further rows would change: windows that are counted from the last row, or one file of all.

        Their files are set aside, as some formats can't be compared. Safe to repeat: who dies in between finds the run
        running, and comes here again.
        """
        counters: JobFields = {"items": 0, "scanned": 0, "bytes": 0, "pages": 0, "pages_before": 0, "failing_pages": 0}
        change = Change(fields=counters, guards={"stop_wish": job.stop_wish})
        if self.ledger.change(job.key, change, states={State.COLLECTING}, epoch=job.epoch) is None:
            return
        sink = open_sink(job.sink_url)
        for page in pages.values():
            if isinstance(page, Receipt) and page.part:
                sink.move(page.part, superseded_folder(job.retries) + page.part)
        self.ledger.pages.forget(job.key, job.attempt)


def has_run_on(job: Job, run: Run) -> bool:
    """Return whether a run that was seen to end is running, or has been running since: after a resurrection."""
    if not run.is_terminal:
        return True
    known, ended_at = job.run.finished_at, iso_time_of(run.finished_at)
    return bool(run.stats.resurrect_count and known and ended_at and ended_at > known)


def _wish_of(job: Job) -> StopWish | None:
    """Return why the run is aborted again; None: it isn't."""
    if job.stop_wish:
        return job.stop_wish
    if job.reason and job.reason.code in STOPPED_BY:
        return STOPPED_BY[job.reason.code]
    if job.broken and job.broken.stops:
        return StopWish.GUARD
    return StopWish.ENOUGH if job.enough else None

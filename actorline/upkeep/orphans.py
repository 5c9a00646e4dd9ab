"""Orphans: running runs with our installation's marker that no job wants.

Those whose job is in this ledger are certainly ours and are aborted. The others (the ledger was lost) are reported,
aborted or adopted, as configured. A run without our marker is never touched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from actorline.errors import Unavailable
from actorline.identifiers import AccountName, JobKey, RunId
from actorline.jobs.job import Job
from actorline.jobs.sender import Sender
from actorline.jobs.states import TERMINAL, Event, sources
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.orders.submit import SubmittedJob, submit
from actorline.platform.client import Platform
from actorline.platform.clock import SKEW_SECS
from actorline.platform.errors import PlatformError
from actorline.platform.marker import list_unended, make_marker
from actorline.platform.runs import RunSummary, abort_run, get_run
from actorline.platform.statuses import TERMINAL_STATUSES
from actorline.settings import Settings
from actorline.stages.start.search import find_runs

log = Logger(__name__)

ANY_TIME: Final = datetime(2015, 1, 1, tzinfo=UTC)  # older than the platform


@dataclass(frozen=True)
class Orphan:
    """A running run that no job wants; `key`: the job that it was started for, if known."""

    account: AccountName
    run: RunSummary
    key: JobKey | None


def find_orphans(ledger: Ledger, platform: Platform, installation: str, account: AccountName) -> Iterator[Orphan]:
    """Yield the orphans among the installation's running runs. Raises PlatformError; safe to repeat.

    A run that its job still waits for becomes the job's run.
    """
    for run, marker in list_unended(platform, installation, started_after=ANY_TIME):
        key = ledger.runs.key_of_marker(marker.digest)
        if key is None or ledger.load(key) is None:
            yield Orphan(account, run, None)
        elif not _offer_to_job(ledger, key, marker.attempt, run.id):
            yield Orphan(account, run, key)


def _offer_to_job(ledger: Ledger, key: JobKey, attempt: int, run_id: RunId) -> bool:
    """Give the run to its job if that waits for one. Return False if the job doesn't want it: then it is recorded as a
    stray, which upkeep aborts.
    """
    job = ledger.load(key)
    if is_collected(ledger, run_id, unless_by=key):
        return True
    if job is None or job.intent is not None:
        return True  # a start is in progress, and searches for its run itself
    if job.run.id == run_id:
        if not job.is_terminal or not job.document.may_abort:
            return True
        if job.run.status in TERMINAL_STATUSES and job.chances.resurrection is None:
            return True  # it had ended and runs again, but not because of us: it was resurrected by hand
        ledger.runs.add_stray(run_id, key)
        return False
    ledger.runs.record(key, attempt, job.epoch, run_id, states=sources(Event.RUN_KNOWN), due_in_s=0, found=True)
    return run_id not in ledger.runs.strays()


def is_collected(ledger: Ledger, run_id: RunId, *, unless_by: JobKey) -> bool:
    """Return whether a live job other than `unless_by` waits for the run: it was taken over by an order."""
    key = ledger.runs.key_of(run_id)
    job = ledger.load(key) if key and key != unless_by else None
    return job is not None and not job.is_terminal and job.run.id == run_id


def make_second_search(ledger: Ledger, platform: Platform, installation: str, key: JobKey, attempt: int) -> list[RunId]:
    """Search again for runs that an unclear start may have made after all, and return those that were unknown.

    Raises PlatformError: then it must be repeated.
    """
    job = ledger.load(key)
    if job is None:
        return []
    found = find_runs(ledger, platform, make_marker(installation, key, attempt), since=job.queued_at - SKEW_SECS)
    unknown = [run_id for run_id in found.run_ids if ledger.runs.key_of(run_id) is None]
    for run_id in unknown:
        _offer_to_job(ledger, key, attempt, run_id)
    return unknown


def close_resurrection(ledger: Ledger, platform: Platform, key: JobKey) -> bool:
    """Check again, long after it was sent, whether an unnoticed resurrection happened: if the run is running and its
    job has ended, it is a stray. A later resurrection is not ours.

    Return False if the job has not ended yet and must be checked again. Raises PlatformError.
    """
    job = ledger.load(key)
    if job is None or job.chances.resurrection is None or job.run.id is None:
        return True
    if not job.is_terminal:
        return False
    if not get_run(platform, job.run.id).is_terminal:
        ledger.runs.add_stray(job.run.id, key)
        ledger.timeline.add(key, TimelineEvent.STRAY_RUN, run_id=job.run.id, attempt=job.attempt, found=True)
    ledger.change(key, Change(fields={"resurrection": None}), states=TERMINAL, epoch=job.epoch)
    return True


def abort_or_adopt(ledger: Ledger, platform: Platform, settings: Settings, orphan: Orphan) -> Job | None:
    """Abort or adopt, as configured, an orphan whose job is unknown, and return the new job, whose stages must be
    sent. One of a known job is aborted by upkeep.
    """
    if orphan.key is not None or settings.orphans == "report":
        return None
    if settings.orphans == "abort":
        try:
            abort_orphan(ledger, platform, orphan)
        except PlatformError as error:
            log.warning("orphan_not_aborted", run_id=orphan.run.id, error=str(error))
        return None
    try:
        submitted = adopt(ledger, settings, orphan)
    except Unavailable as error:
        log.warning("orphan_not_adopted", run_id=orphan.run.id, error=str(error))
        return None
    return ledger.load(submitted.key) if submitted.created else None


def abort_orphan(ledger: Ledger, platform: Platform, orphan: Orphan) -> bool:
    """Abort the run. Return False if it had ended by itself. Raises PlatformError."""
    if abort_run(platform, orphan.run.id).ended_by_itself:
        return False
    if orphan.key is None:  # upkeep counts the others
        ledger.runs.count_stopped(orphan.account)
    return True


def adopt(ledger: Ledger, settings: Settings, orphan: Orphan) -> SubmittedJob:
    """Create a job for a run whose own job is lost: it collects the rows, and may abort the run.

    Raises Refused and Unavailable.
    """
    document = {"key": f"adopted-{orphan.run.id}", "run_id": orphan.run.id, "own": True, "account": orphan.account}
    return submit(document, ledger=ledger, settings=settings, trusted=True, sender=Sender("upkeep"))

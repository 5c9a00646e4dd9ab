"""Orphans: runs with our installation's marker that go on and that no job wants.

Those whose job is in this ledger are ours beyond doubt and are aborted. Those whose job isn't (the ledger was lost) are
reported, aborted or adopted, as the installation is set. A run without our marker is never touched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from actorline.jobs.sender import Sender
from actorline.jobs.states import TERMINAL, Event, sources
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.orders.submit import Submitted, submit
from actorline.platform.client import Platform
from actorline.platform.clock import SKEW_SECS
from actorline.platform.marker import list_going, make_marker
from actorline.platform.runs import RunSummary, get_run
from actorline.platform.statuses import TERMINAL_STATUSES
from actorline.settings import Settings
from actorline.stages.start.search import find_runs

ANY_TIME: Final = datetime(2015, 1, 1, tzinfo=UTC)  # older than the platform


@dataclass(frozen=True)
class Orphan:
    """A run that goes on without a job that wants it; `key`: the job that it was started for, if that is known."""

    account: str
    run: RunSummary
    key: str | None


def find_orphans(ledger: Ledger, platform: Platform, installation: str, account: str) -> Iterator[Orphan]:
    """Look at every run of the installation that goes on. Raises PlatformError; safe to repeat.

    A run that its job still waits for becomes the job's run on the way.
    """
    for run, marker in list_going(platform, installation, started_after=ANY_TIME):
        key = ledger.runs.key_of_marker(marker.digest)
        if key is None or ledger.load(key) is None:
            yield Orphan(account, run, None)
        elif not _is_wanted(ledger, key, marker.attempt, run.id):
            yield Orphan(account, run, key)


def _is_wanted(ledger: Ledger, key: str, attempt: int, run_id: str) -> bool:
    """Whether its job wants the run; if not, it is a stray from here on, which upkeep aborts."""
    job = ledger.load(key)
    if is_collected(ledger, run_id, unless_by=key):
        return True
    if job is None or job.intent is not None:
        return True  # a start is under way, and searches for its run itself
    if job.run_id == run_id:
        if not job.is_terminal or not job.document.may_abort:
            return True
        if job.run_status in TERMINAL_STATUSES and job.resurrection is None:
            return True  # seen ended and going again, and not by us: somebody resurrected it by hand
        ledger.runs.add_stray(run_id, key)
        return False
    ledger.runs.record(key, attempt, job.epoch, run_id, states=sources(Event.RUN_KNOWN), care_s=0, found=True)
    return run_id not in ledger.runs.strays()


def is_collected(ledger: Ledger, run_id: str, *, unless_by: str) -> bool:
    """Whether another live job than that one waits for the run: a person let it be taken over."""
    key = ledger.runs.key_of(run_id)
    job = ledger.load(key) if key and key != unless_by else None
    return job is not None and not job.is_terminal and job.run_id == run_id


def look_again(ledger: Ledger, platform: Platform, installation: str, key: str, attempt: int) -> list[str]:
    """Search once more for what an unclear start may have made after all; answers runs that nobody knew of.

    Raises PlatformError: then it is to be done again.
    """
    job = ledger.load(key)
    if job is None:
        return []
    found = find_runs(ledger, platform, make_marker(installation, key, attempt), since=job.queued_at - SKEW_SECS)
    unknown = [run_id for run_id in found.run_ids if ledger.runs.key_of(run_id) is None]
    for run_id in unknown:
        _is_wanted(ledger, key, attempt, run_id)
    return unknown


def close_resurrection(ledger: Ledger, platform: Platform, key: str) -> bool:
    """Look once more, long after it was sent, whether the run shows a resurrection that nobody saw; if it goes on and
    its job has ended, it is a stray. From then on one that goes on again is somebody else's.

    False: the job has not ended yet, so it is to be looked at again. Raises PlatformError.
    """
    job = ledger.load(key)
    if job is None or job.resurrection is None or job.run_id is None:
        return True
    if not job.is_terminal:
        return False
    if not get_run(platform, job.run_id).is_terminal:
        ledger.runs.add_stray(job.run_id, key)
        ledger.timeline.add(key, "stray-run", run_id=job.run_id, attempt=job.attempt, found=True)
    ledger.change(key, Change(fields={"resurrection": None}), states=TERMINAL, epoch=job.epoch)
    return True


def adopt(ledger: Ledger, settings: Settings, orphan: Orphan) -> Submitted:
    """Rebuild a job round a run whose own job is lost: it is collected, and ours to abort.

    Raises Refused and Unavailable.
    """
    document = {"key": f"adopted-{orphan.run.id}", "run_id": orphan.run.id, "own": True, "account": orphan.account}
    return submit(document, ledger=ledger, settings=settings, trusted=True, sender=Sender("upkeep"))

"""The fleet: one list of an account's running runs instead of a poll for each job that waits.

A poll by countdown is a message that a worker holds, a GET, and some milliseconds of CPU each time. With more than
some tens of them all jobs are parked: their polls end, and one list of the runs that are still running serves them all.
The list lags, so a job whose run isn't listed as it was seen last is polled by itself, and the run's own GET decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Final

from actorline.identifiers import AccountName, JobKey
from actorline.jobs.job import Job
from actorline.ledger.ledger import Ledger
from actorline.ledger.parking import ParkedJob, ParkedRuns, Parking
from actorline.logs import Logger
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.runs import Run, RunSight, list_pages_of_runs
from actorline.platform.statuses import TRANSITIONAL_STATUSES
from actorline.settings import Settings

WAKES_MAX: Final = 200  # polls of jobs with news that wait at a time: a few seconds' work, so nothing else waits longer
MISSED_SECS: Final = 30.0  # a lost check is followed by another after this time

log = Logger(__name__)


@dataclass(frozen=True)
class ParkedJobs:
    """All parked jobs."""

    ledger: Ledger
    settings: Settings

    def is_crowded(self) -> bool:
        """Return whether more jobs are running than are polled one by one. All of them are parked then: one list
        serves 1,000 jobs for the price of one poll.
        """
        return self._parking.running_jobs() > self.settings.countdown_polls

    def park(self, job: Job, run: Run, every_s: float) -> None:
        """Poll the job no more by itself: the list of its account's runs shows what becomes of its run."""
        parked = ParkedJob(
            account=job.document.account,
            epoch=job.epoch,
            run_id=run.id,
            run_status=run.status,
            started_at=run.started_at.timestamp(),
            every_s=every_s,
            deadline_at=job.deadline_at,
        )
        self._parking.park(job.key, parked)

    def look(self, account: AccountName, platform: Platform) -> None:
        """List the account's runs, if its interval is over. While the platform doesn't respond there is no news: a
        poll for each job would find out no more.
        """
        runs = ParkedRuns(self.ledger, account)
        since = runs.claim_list()
        if since is None:
            return
        began = runs.clock()
        try:
            for page in _running_runs(platform, since):
                runs.note_seen({run.id: run.status for run in page if run.status}, began)
                if self.settings.budgets.has_hard:
                    runs.note_costs({run.id: run.usage_total_usd for run in page if run.usage_total_usd})
        except platform_errors.PlatformError as error:
            log.warning("fleet_not_seen", error=str(error))
            runs.hold_list(platform_errors.asked_wait_s(error))
            return
        runs.note_list(began)

    def with_news(self, account: AccountName, urgent_messages: int) -> dict[JobKey, int]:
        """Return key -> epoch of each job to poll now, the longest ago seen first, and plan the next look.

        `urgent_messages`: those that others wait behind; when many runs end together, the rest comes as these become
        fewer. Each account has its share.
        """
        runs = ParkedRuns(self.ledger, account)
        room = ceil(max(WAKES_MAX - urgent_messages, 0) / max(self._parking.accounts(), 1))
        news = runs.with_news(room)
        runs.plan_look(is_rest=len(news) >= room)
        return news

    @property
    def _parking(self) -> Parking:
        return Parking(self.ledger)


def _running_runs(platform: Platform, since: float) -> Iterator[list[RunSight]]:
    """Yield the account's runs that are running, a page at a time. Raises PlatformError."""
    started_after, status = datetime.fromtimestamp(since, UTC), sorted(TRANSITIONAL_STATUSES)
    return list_pages_of_runs(RunSight, platform, started_after=started_after, status=status)

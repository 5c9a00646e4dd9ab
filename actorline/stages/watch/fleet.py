"""The fleet: one list of an account's running runs instead of a poll for each job that waits.

A poll by countdown is a message that a worker holds, a GET, and some milliseconds of CPU each time. With more than
some tens of them all jobs are parked: their polls end, and one list of the runs that are still running serves them all.
The list lags, so a job whose run isn't listed as it was seen last is polled by itself, and the run's own GET decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from actorline.identifiers import AccountName, JobKey
from actorline.jobs.job import Job
from actorline.ledger.ledger import Ledger
from actorline.ledger.parking import ParkedJob, Parking
from actorline.logs import Logger
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.runs import Run, list_runs
from actorline.platform.statuses import TRANSITIONAL_STATUSES
from actorline.settings import Settings

WAKES_MAX: Final = 200  # jobs polled after one look: when all runs end together, the rest waits for the next
MISSED_SECS: Final = 30.0  # a lost check is followed by another after this time

log = Logger(__name__)


@dataclass(frozen=True)
class Fleet:
    """All parked jobs."""

    ledger: Ledger
    settings: Settings

    def is_crowded(self) -> bool:
        """Return whether more jobs are running than are polled one by one. All of them are parked then: one list
        serves 1,000 jobs for the price of one poll.
        """
        return self._parking.running_jobs() > self.settings.countdown_polls

    def park(self, job: Job, run: Run, every_s: float) -> None:
        """Leave the job, whose `due` must lie behind the next looks, to the fleet."""
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

    def look(self, account: AccountName, platform: Platform) -> dict[JobKey, int]:
        """Look at the account's runs once: key -> epoch of each job to poll now. The others are due
        again after their interval.
        """
        parked = self._parking.of(account)
        if not parked:
            self.ledger.agenda.drop("fleets", account)
            return {}
        now, news = self.ledger.now(), self._news(parked, platform)
        self._leave(parked.keys() - news.keys(), max(each.every_s for each in parked.values()))
        is_rest = len(news) > WAKES_MAX
        next_look = now if is_rest else now + min(each.every_s for each in parked.values())
        self._parking.plan_list(account, next_look)
        return dict(list(news.items())[:WAKES_MAX])

    def _news(self, parked: Mapping[JobKey, ParkedJob], platform: Platform) -> dict[JobKey, int]:
        """While the platform doesn't respond there is no news: a poll for each job would find out no more."""
        since = datetime.fromtimestamp(min(each.started_at for each in parked.values()), UTC)
        try:
            going = list_runs(platform, started_after=since, status=sorted(TRANSITIONAL_STATUSES))
            statuses = {run.id: run.status for run in going}
        except platform_errors.PlatformError as error:
            log.warning("fleet_not_seen", error=str(error))
            statuses = {each.run_id: each.run_status for each in parked.values()}
        now = self.ledger.now()
        return {key: each.epoch for key, each in parked.items() if each.has_news(statuses, now)}

    def _leave(self, keys: "set[JobKey]", every_s: float) -> None:
        if keys:
            care_at = self.ledger.now() + every_s + self.settings.lost_message_secs
            self.ledger.agenda.move("due", keys, care_at)

    @property
    def _parking(self) -> Parking:
        return Parking(self.ledger)

"""The fleet: one look at an account's runs in the place of a poll for each job that waits.

A poll by countdown is a message that a worker holds, a GET, and some milliseconds of CPU each time. Beyond some hundred
of them jobs are parked: their polls end, and one list of the runs that go on serves them all. The list lags, so a job
whose run doesn't stand there as it was seen last is polled by itself, and the run's own GET decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.runs import Run, list_runs
from actorline.platform.statuses import TRANSITIONAL_STATUSES
from actorline.settings import Settings

WAKES_MAX: Final = 200  # jobs polled after one look: when all runs end together, the rest waits for the next
MISSED_SECS: Final = 30.0  # a look whose message is lost is followed by another after so long

log = Logger(__name__)


class Parked(BaseModel):
    """A job that waits for news of its run. `every_s`: its poll interval; `deadline_at`, `started_at`: unix seconds."""

    model_config = ConfigDict(frozen=True)

    account: str
    epoch: int
    run_id: str
    run_status: str
    started_at: float
    every_s: float
    deadline_at: float | None

    def has_news(self, statuses: Mapping[str, str], now: float) -> bool:
        """Whether it needs a poll of its own, after a look that found the `statuses` of the runs that go on."""
        is_late = self.deadline_at is not None and now > self.deadline_at
        return is_late or statuses.get(self.run_id) != self.run_status


@dataclass(frozen=True)
class Fleet:
    """All parked jobs, in the ledger: `parked` (key -> Parked), `fleets` (account -> when it is looked at)."""

    ledger: Ledger
    settings: Settings

    def is_crowded(self) -> bool:
        """Whether as many jobs are polled by countdown as may be."""
        with self.ledger.redis.pipeline(transaction=False) as pipe:
            pipe.zcard(self.ledger.name("state", State.RUNNING))
            pipe.hlen(self.ledger.name("parked"))
            running, parked = pipe.execute()
        return bool(running - parked > self.settings.countdown_polls)

    def park(self, job: Job, run: Run, every_s: float) -> None:
        """Leave the job, whose `due` must lie behind the next looks, to the fleet."""
        parked = Parked(
            account=job.document.account,
            epoch=job.epoch,
            run_id=run.id,
            run_status=run.status,
            started_at=run.started_at.timestamp(),
            every_s=every_s,
            deadline_at=job.deadline_at,
        )
        next_look = {parked.account: self.ledger.now() + every_s}
        with self.ledger.redis.pipeline() as pipe:
            pipe.hset(self.ledger.name("parked"), job.key, parked.model_dump_json())
            pipe.zadd(self.ledger.name("fleets"), next_look, lt=True)
            pipe.execute()

    def look(self, account: str, platform: Platform) -> dict[str, int]:
        """Look at the account's runs once: key -> epoch of each job that is to be polled now. The others are due
        again after their interval.
        """
        parked = self._parked(account)
        if not parked:
            self.ledger.redis.zrem(self.ledger.name("fleets"), account)
            return {}
        now, news = self.ledger.now(), self._news(parked, platform)
        self._leave(parked.keys() - news.keys(), max(each.every_s for each in parked.values()))
        is_rest = len(news) > WAKES_MAX
        next_look = now if is_rest else now + min(each.every_s for each in parked.values())
        self.ledger.redis.zadd(self.ledger.name("fleets"), {account: next_look})
        return dict(list(news.items())[:WAKES_MAX])

    def _parked(self, account: str) -> dict[str, Parked]:
        stored = self.ledger.redis.hgetall(self.ledger.name("parked"))
        found = {key: Parked.model_validate_json(each) for key, each in stored.items()}
        return {key: each for key, each in found.items() if each.account == account}

    def _news(self, parked: Mapping[str, Parked], platform: Platform) -> dict[str, int]:
        """While the platform doesn't answer there is no news: a poll for each job would find out no more."""
        since = datetime.fromtimestamp(min(each.started_at for each in parked.values()), UTC)
        try:
            going = list_runs(platform, started_after=since, status=sorted(TRANSITIONAL_STATUSES))
            statuses = {run.id: run.status for run in going}
        except platform_errors.PlatformError as error:
            log.warning("fleet_not_seen", error=str(error))
            statuses = {each.run_id: each.run_status for each in parked.values()}
        now = self.ledger.now()
        return {key: each.epoch for key, each in parked.items() if each.has_news(statuses, now)}

    def _leave(self, keys: "set[str]", every_s: float) -> None:
        if keys:
            care_at = self.ledger.now() + every_s + self.settings.lost_message_secs
            self.ledger.redis.zadd(self.ledger.name("due"), dict.fromkeys(keys, care_at), xx=True)


def unpark(ledger: Ledger, key: str) -> None:
    """The job is polled by itself from here on."""
    ledger.redis.hdel(ledger.name("parked"), key)

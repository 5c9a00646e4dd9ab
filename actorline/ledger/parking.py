"""Jobs that are parked: the runs of all of an account's are watched by one list, instead of a poll for each."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from actorline.identifiers import AccountName, JobKey, RunId
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger


class ParkedJob(BaseModel):
    """A job that waits for news of its run. `every_s`: its poll interval; `deadline_at`, `started_at`: unix seconds."""

    model_config = ConfigDict(frozen=True)

    account: AccountName
    epoch: int
    run_id: RunId
    run_status: str
    started_at: float
    every_s: float
    deadline_at: float | None

    def has_news(self, statuses: Mapping[RunId, str], now: float) -> bool:
        """Return whether it needs a poll of its own, after a list that found the `statuses` of running runs."""
        is_late = self.deadline_at is not None and now > self.deadline_at
        return is_late or statuses.get(self.run_id) != self.run_status


@dataclass(frozen=True)
class Parking:
    """`parked` (key -> ParkedJob) and `fleets` (account -> when its runs are listed)."""

    ledger: Ledger

    def running_jobs(self) -> int:
        """Return how many jobs have a run that is running, parked or not."""
        return int(self.ledger.redis.zcard(self.ledger.name("state", State.RUNNING)))

    def park(self, key: JobKey, parked: ParkedJob) -> None:
        """Park a job; its account's runs are listed after its poll interval at the latest."""
        next_list = {parked.account: self.ledger.now() + parked.every_s}
        with self.ledger.redis.pipeline() as pipe:
            pipe.hset(self.ledger.name("parked"), key, parked.model_dump_json())
            pipe.zadd(self.ledger.name("fleets"), next_list, lt=True)
            pipe.execute()

    def unpark(self, key: JobKey) -> None:
        """Let the job be polled by itself from here on."""
        self.ledger.redis.hdel(self.ledger.name("parked"), key)

    def of(self, account: AccountName) -> dict[JobKey, ParkedJob]:
        """Return key -> ParkedJob of an account's jobs."""
        stored = self.ledger.redis.hgetall(self.ledger.name("parked"))
        found = {JobKey(key): ParkedJob.model_validate_json(each) for key, each in stored.items()}
        return {key: each for key, each in found.items() if each.account == account}

    def plan_list(self, account: AccountName, at: float) -> None:
        """List the account's runs at a time."""
        self.ledger.redis.zadd(self.ledger.name("fleets"), {account: at})

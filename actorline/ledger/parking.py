"""Jobs that are parked: the runs of all of an account's are watched by one list, instead of a poll for each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from pydantic import BaseModel, ConfigDict

from actorline.identifiers import AccountName, JobKey, RunId
from actorline.jobs.states import State
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger

CARE_SECS: Final = (300.0, 900.0)
"""A parked job is cared for after a time between these, and left alone if it is watched."""
LOOKED_SECS: Final = 60.0  # as long as this after a look, an account's jobs count as watched
SOONER_SECS: Final = 0.5  # upkeep starts looks once a second, so a list may be made so much before its interval is over

COST_STEP_USD: Final = 0.01


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


@dataclass(frozen=True)
class Parking:
    """`parked` (key -> ParkedJob) and `fleets` (account -> when its runs are looked at)."""

    ledger: Ledger

    def running_jobs(self) -> int:
        """Return how many jobs have a run that is running, parked or not."""
        return int(self.ledger.redis.zcard(self.ledger.name("state", State.RUNNING)))

    def accounts(self) -> int:
        """Return how many accounts have parked jobs."""
        return int(self.ledger.redis.zcard(self.ledger.name("fleets")))

    def park(self, key: JobKey, parked: ParkedJob) -> None:
        """Park a job; its account's runs are listed after its poll interval at the latest."""
        name = self.ledger.name
        own = [name(kind, parked.account) for kind in ("parked_runs", "parked_keys", "fleet")]
        args = [
            key,
            parked.model_dump_json(),
            parked.account,
            parked.run_id,
            parked.run_status,
            parked.started_at,
            f"{parked.every_s:g}",
            CARE_SECS[0],
        ]
        self.ledger.run_script("park", [name("parked"), *own, name("fleets"), name("due")], args)

    def unpark(self, key: JobKey, epoch: int | None = None) -> None:
        """Let the job be polled by itself from here on; `epoch`: only if it was parked under it."""
        args = [key, "" if epoch is None else epoch, *self._prefixes]
        self.ledger.run_script("unpark", [self.ledger.name("parked")], args)

    def without_watched(self, keys: Sequence[JobKey]) -> list[JobKey]:
        """Return those of some overdue jobs that need care: not those that only wait for news, while their account's
        runs are looked at. These are overdue again much later.
        """
        if not keys:
            return []
        name = self.ledger.name
        args = [name("job") + ":", *self._prefixes, LOOKED_SECS, *CARE_SECS, *keys]
        return cast("list[JobKey]", self.ledger.run_script("leave_parked", [name("parked"), name("due")], args))

    @property
    def _prefixes(self) -> list[str]:
        return [self.ledger.name(kind) + ":" for kind in ("parked_runs", "parked_keys", "fleet")]


@dataclass(frozen=True)
class ParkedRuns:
    """The runs that an account's parked jobs wait for. A list notes when each was last seen as it was; those that the
    latest list doesn't show so have news. Nothing here takes longer with more parked jobs but for the list itself.

    `parked_runs:{account}` (run and status -> when it was last seen so), `parked_keys:{account}` (run -> jobs),
    `fleet:{account}` (intervals, looks) and `listing:{account}` (a list was made within the interval).
    """

    ledger: Ledger
    account: AccountName

    def claim_list(self) -> float | None:
        """Return since when the runs were started that are to be listed now; None: it isn't time yet, or another
        execution does it.
        """
        known = self.ledger.redis.hgetall(self._fleet)
        self.ledger.redis.hset(self._fleet, "looked", self.ledger.now())
        if "since" not in known:
            return None
        every = shortest_interval(known)
        wait_ms = int(1000 * max(every - SOONER_SECS, every / 2))
        is_first = self.ledger.redis.set(self._listing, 1, nx=True, px=wait_ms)
        return float(known["since"]) if is_first else None

    def hold_list(self, seconds: float) -> None:
        """List nothing for some seconds: the platform has asked for it."""
        hold_ms = int(1000 * seconds)
        if hold_ms > max(self.ledger.redis.pttl(self._listing), 0):
            self.ledger.redis.set(self._listing, 1, px=hold_ms)

    def clock(self) -> float:
        """Return Redis's own time, by which jobs are parked; `ledger.now()` may lag behind it by a millisecond."""
        seconds, microseconds = self.ledger.redis.time()
        return float(seconds + microseconds / 1_000_000)

    def note_seen(self, statuses: Mapping[RunId, str], at: float) -> None:
        """Note how a page of a list that began at a time shows its runs: run id -> status."""
        members = [f"{run_id}:{status}" for run_id, status in statuses.items()]
        if members:
            self.ledger.redis.zadd(self._runs, dict.fromkeys(members, at), xx=True)

    def note_list(self, at: float) -> None:
        """Note that the list which began at a time is complete: runs that it didn't show have news."""
        self.ledger.redis.hset(self._fleet, "listed", at)

    def note_costs(self, costs: Mapping[RunId, float]) -> None:
        """Write to parked jobs what their runs cost by now, where that has grown by a cent or more."""
        if not costs:
            return
        for key, epoch, cost_usd in self._grown(costs):
            changed = Change(fields={"cost_usd": cost_usd})
            self.ledger.change(key, changed, states={State.RUNNING}, epoch=epoch)

    def _grown(self, costs: Mapping[RunId, float]) -> Iterator[tuple[JobKey, int, float]]:
        waiting = zip(costs.values(), self.ledger.redis.hmget(self._keys, list(costs)), strict=True)
        found = {JobKey(key): cost_usd for cost_usd, keys in waiting for key in (keys or "").split()}
        if not found:
            return
        with self.ledger.redis.pipeline(transaction=False) as pipe:
            pipe.hmget(self.ledger.name("parked"), list(found))
            for key in found:
                pipe.hget(self.ledger.name("job", key), "cost_usd")
            parked, *known = pipe.execute()
        for (key, cost_usd), text, before in zip(found.items(), parked, known, strict=True):
            if text and cost_usd >= float(before or 0) + COST_STEP_USD:
                yield key, ParkedJob.model_validate_json(text).epoch, cost_usd

    def with_news(self, limit: int) -> dict[JobKey, int]:
        """Return key -> epoch of jobs whose runs the latest list doesn't show as they were, the longest ago seen
        first; about `limit`.
        """
        listed = self.ledger.redis.hget(self._fleet, "listed")
        if listed is None or limit <= 0:
            return {}
        members = self.ledger.redis.zrange(self._runs, "-inf", f"({listed}", byscore=True, offset=0, num=limit)
        return self._jobs_of(members) if members else {}

    def _jobs_of(self, members: Sequence[str]) -> dict[JobKey, int]:
        """Return the parked jobs that wait for these runs. A run without any, which a worker of an earlier version may
        have left, is forgotten.
        """
        runs = [member.rpartition(":")[0] for member in members]
        waiting = [(keys or "").split() for keys in self.ledger.redis.hmget(self._keys, runs)]
        every_key = [key for keys in waiting for key in keys]
        stored = self.ledger.redis.hmget(self.ledger.name("parked"), every_key) if every_key else []
        parked = {key: text for key, text in zip(every_key, stored, strict=True) if text}
        for member, run_id, keys in zip(members, runs, waiting, strict=True):
            if not any(key in parked for key in keys):
                self.ledger.redis.hdel(self._keys, run_id)
                self.ledger.redis.zrem(self._runs, member)
        return {JobKey(key): ParkedJob.model_validate_json(text).epoch for key, text in parked.items()}

    def plan_look(self, *, is_rest: bool) -> None:
        """Plan the next look: when the next list is due, or at once if there is a rest of jobs with news."""
        wait_s = 0 if is_rest else max(self.ledger.redis.pttl(self._listing), 0) / 1000
        keys = [self._runs, self._keys, self._fleet, self.ledger.name("fleets")]
        self.ledger.run_script("plan_look", keys, [self.account, wait_s])

    @property
    def _runs(self) -> str:
        return self.ledger.name("parked_runs", self.account)

    @property
    def _keys(self) -> str:
        return self.ledger.name("parked_keys", self.account)

    @property
    def _fleet(self) -> str:
        return self.ledger.name("fleet", self.account)

    @property
    def _listing(self) -> str:
        return self.ledger.name("listing", self.account)


def shortest_interval(fleet: Mapping[str, str]) -> float:
    """Return the shortest poll interval of an account's parked jobs, whose hash `fleet` counts them by interval."""
    intervals = [float(field.removeprefix("every:")) for field in fleet if field.startswith("every:")]
    return min(intervals, default=SOONER_SECS)

"""The runs that jobs started or took over, those that no job wants, and whose marker is whose."""

import json
from collections.abc import Iterable, Sequence
from typing import Final, cast

from actorline.identifiers import AccountName, JobKey, RunId
from actorline.jobs.states import Event, State, target
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.agenda import Agenda
from actorline.ledger.store import Store
from actorline.ledger.timeline import ENTRIES_MAX
from actorline.logs import Logger

SEARCH_REMEMBERED_SECS: Final = 30  # an unclear start is searched for again after a minute

log = Logger(__name__)


class Runs:
    """A run id is never refused, whatever the job's state: what isn't the job's run is a stray, to be aborted."""

    def __init__(self, store: Store, agenda: Agenda) -> None:
        self._store = store
        self._agenda = agenda

    def record(
        self,
        key: JobKey,
        attempt: int,
        epoch: int,
        run_id: RunId,
        *,
        states: Iterable[State],
        due_in_s: float,
        found: bool,
    ) -> bool:
        """Record a run id. Return whether it is the job's run and the job is still in this execution's hands.

        False: the job didn't wait for it and it is a stray to abort, or another execution has the job by now, and
        finds the run in the ledger.
        """
        name = self._store.name
        keys = [name("job", key), name("events", key), name("due"), name("runs", key), name("strays"),
                name("run_keys"), name("tally")]  # fmt: skip
        data = {"run_id": run_id, "attempt": attempt, "found": found}
        args = [key, attempt, run_id, name("state") + ":", ",".join(states), due_in_s, ENTRIES_MAX, json.dumps(data),
                int(found), epoch, target(Event.RUN_KNOWN)]  # fmt: skip
        outcome, now_epoch = self._store.run("record_run", keys, args)
        log.info(TimelineEvent.RUN_KNOWN if outcome == "won" else TimelineEvent.STRAY_RUN, job_key=key, **data)
        return bool(outcome == "won" and int(now_epoch) == epoch)

    def of(self, key: JobKey, attempt: int) -> list[RunId]:
        """Return every run id ever seen for an attempt of the job, the first one first."""
        stored = self._store.redis.hget(self._store.name("runs", key), str(attempt))
        return cast("list[RunId]", json.loads(stored or "[]"))

    def key_of(self, run_id: RunId) -> JobKey | None:
        """Return the key of the job that a run belongs to, also past runs."""
        return cast("JobKey | None", self._store.redis.hget(self._store.name("run_keys"), run_id))

    def keys_of(self, run_ids: Iterable[RunId]) -> list[JobKey | None]:
        """Return the same for many runs, in their order."""
        return cast("list[JobKey | None]", self._store.redis.hmget(self._store.name("run_keys"), list(run_ids)))

    def without_forgotten(self, run_ids: Sequence[RunId]) -> list[RunId]:
        """Return the runs without those of jobs that somebody has had forgotten: no later job under the key has them,
        though they bear its marker.
        """
        if not run_ids:
            return []
        kept_until = self._store.redis.zmscore(self._store.name("forgotten_runs"), run_ids)
        return [run_id for run_id, at in zip(run_ids, kept_until, strict=True) if at is None]

    def strays(self) -> dict[RunId, JobKey]:
        """Return run id -> key of every run that no job wants and whose end isn't confirmed."""
        return cast("dict[RunId, JobKey]", self._store.redis.hgetall(self._store.name("strays")))

    def add_stray(self, run_id: RunId, key: JobKey) -> None:
        """Let upkeep abort a run that its job doesn't want."""
        self._store.redis.hset(self._store.name("strays"), run_id, key)

    def forget_stray(self, run_id: RunId) -> bool:
        """Forget a stray whose end is confirmed, or that a job wants after all. Return False if it was forgotten."""
        was_there = self._store.redis.hdel(self._store.name("strays"), run_id)
        self._agenda.drop("stray_due", run_id)
        return bool(was_there)

    def count_stopped(self, account: AccountName) -> None:
        """Count a run that would still bill if it hadn't been aborted: no job wanted it."""
        self._store.redis.hincrby(self._store.name("tally"), f"saved:stopped:{account.lower()}", 1)

    def plan_stray(self, run_id: RunId, seconds: float) -> None:
        """Check the stray again after some seconds."""
        self._agenda.move("stray_due", [run_id], self._store.now() + seconds)

    def take_strays(self, again_s: float) -> list[RunId]:
        """Return the runs to abort now; each is due again later, unless `forget_stray` comes."""
        strays = self._store.redis.hkeys(self._store.name("strays"))
        if not strays:
            return []
        self._store.redis.zadd(self._store.name("stray_due"), dict.fromkeys(strays, 0), nx=True)
        return [RunId(each) for each in self._agenda.take("stray_due", again_s=again_s)]

    def remember_suspects(self, key: JobKey, at: float, run_ids: list[RunId]) -> None:
        """Remember for a while what a search for the start announced `at` came to."""
        searched = json.dumps({"at": at, "suspects": run_ids})
        self._store.redis.set(self._store.name("searched", key), searched, ex=SEARCH_REMEMBERED_SECS)

    def last_suspects(self, key: JobKey, at: float) -> list[RunId] | None:
        """Return what the search for the start announced `at` came to; None: there was none, or it is forgotten."""
        searched = json.loads(self._store.redis.get(self._store.name("searched", key)) or "{}")
        return cast("list[RunId]", searched["suspects"]) if searched.get("at") == at else None

    def key_of_marker(self, digest: str) -> JobKey | None:
        """Return the key of the job whose runs bear the marker."""
        return cast("JobKey | None", self._store.redis.hget(self._store.name("markers"), digest))

    def note_marker(self, account: AccountName, *, came_back: bool) -> None:
        """Remember whether the marker of a run that we started was seen in the run itself, the last time we looked."""
        self._store.redis.hset(self._store.name("marker_seen"), account, int(came_back))

    def is_marker_proven(self, account: AccountName) -> bool:
        """Return whether markers are known to come back in this account."""
        return bool(self._store.redis.hget(self._store.name("marker_seen"), account) == "1")

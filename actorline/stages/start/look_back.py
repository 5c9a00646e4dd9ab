"""After a gap in the ledger's history: one search of an account's runs for those that the ledger doesn't know.

All jobs of the account share it. It is resumed where it was when a worker dies, and done only when it came to its end.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from redis.lock import Lock

from actorline.jobs.job import Job
from actorline.ledger.continuity import Gap, lost_since
from actorline.ledger.ledger import Ledger
from actorline.platform.client import Platform
from actorline.platform.clock import SKEW_SECS, moment_ago
from actorline.platform.marker import Marker, digest_of, list_ours
from actorline.platform.runs import RunSummary

LEASE_SECS: Final = 15.0
BLOCK: Final = 200  # runs between two notes of how far it has come; each may need a request of its own
KEPT_SECS: Final = 30 * 86_400  # who orders a lost job again does so within days


@dataclass(frozen=True)
class LookBack:
    """In the ledger: `looked_back` (account -> gap), `look_back:{account}` (gap and how far it has come) and
    `lost_runs:{account}` (`{digest}.{attempt}` -> run ids that the ledger doesn't know).
    """

    ledger: Ledger
    platform: Platform
    installation: str
    account: str

    def is_done(self, gap: Gap) -> bool:
        return bool(self.ledger.redis.hget(self.ledger.name("looked_back"), self.account) == gap.id)

    def lost_runs(self, job: Job) -> list[str]:
        """The runs of the job's attempt that the ledger had forgotten, the oldest first."""
        stored = self.ledger.redis.hget(self._lost, f"{digest_of(job.key)}.{job.attempt}")
        return list(json.loads(stored)) if stored else []

    def lease(self) -> Lock:
        return self.ledger.lease("look_back", self.account, seconds=LEASE_SECS)

    def run(self, gap: Gap) -> None:
        """Search to the end. Raises PlatformError; safe to repeat, and resumed then."""
        runs = list_ours(self.platform, self.installation, started_after=self._begin(gap))
        for block in _blocks(runs):
            self._keep([(run, marker) for run, marker in block if marker])
            reached = block[-1][0].started_at.timestamp()
            self.ledger.redis.hset(self._place, mapping={"gap": gap.id, "reached": reached})
        self.ledger.redis.hset(self.ledger.name("looked_back"), self.account, gap.id)
        self.ledger.redis.delete(self._place)

    def _begin(self, gap: Gap) -> datetime:
        place = self.ledger.redis.hgetall(self._place)
        if place.get("gap") == gap.id:
            return datetime.fromtimestamp(float(place["reached"]), UTC)
        looked_back = self.ledger.redis.hget(self.ledger.name("looked_back"), self.account)
        now = self.ledger.now()
        since = lost_since(self.ledger, looked_back) or now
        return moment_ago(self.platform, now - since + SKEW_SECS)

    def _keep(self, marked: Sequence[tuple[RunSummary, Marker]]) -> None:
        """Note the runs that the ledger doesn't know."""
        if not marked:
            return
        keys = self.ledger.redis.hmget(self.ledger.name("run_keys"), [run.id for run, _ in marked])
        for (run, marker), key in zip(marked, keys, strict=True):
            tag = f"{marker.digest}.{marker.attempt}"
            known = json.loads(self.ledger.redis.hget(self._lost, tag) or "[]")
            if key is None and run.id not in known:
                self.ledger.redis.hset(self._lost, tag, json.dumps([*known, run.id]))
                self.ledger.redis.expire(self._lost, KEPT_SECS)

    @property
    def _lost(self) -> str:
        return self.ledger.name("lost_runs", self.account)

    @property
    def _place(self) -> str:
        return self.ledger.name("look_back", self.account)


def _blocks(
    runs: Iterable[tuple[RunSummary, Marker | None]],
) -> Iterator[list[tuple[RunSummary, Marker | None]]]:
    rest = iter(runs)
    while block := list(islice(rest, BLOCK)):
        yield block

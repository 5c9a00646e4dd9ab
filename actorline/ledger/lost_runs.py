"""Runs that the ledger had forgotten: found by one search of an account after a gap in the ledger's history."""

import json
from dataclasses import dataclass
from typing import Final, cast

from actorline.identifiers import AccountName, RunId
from actorline.ledger.ledger import Ledger

KEPT_SECS: Final = 30 * 86_400  # who orders a lost job again does so within days


@dataclass(frozen=True)
class LostRuns:
    """`looked_back` (account -> gap), `look_back:{account}` (the gap and how far the search has come) and
    `lost_runs:{account}` (`{digest}.{attempt}` -> run ids).
    """

    ledger: Ledger
    account: AccountName

    def last_gap(self) -> str | None:
        """Return the id of the latest gap after which the account was searched to the end."""
        return cast("str | None", self.ledger.redis.hget(self.ledger.name("looked_back"), self.account))

    def reached(self, gap_id: str) -> float | None:
        """Return how far an unfinished search for this gap has come, in unix seconds."""
        place = self.ledger.redis.hgetall(self._place)
        return float(place["reached"]) if place.get("gap") == gap_id else None

    def note_reached(self, gap_id: str, reached: float) -> None:
        """Remember how far the search has come, for the execution that resumes it."""
        self.ledger.redis.hset(self._place, mapping={"gap": gap_id, "reached": reached})

    def note_end(self, gap_id: str) -> None:
        """Remember that the search has come to its end."""
        self.ledger.redis.hset(self.ledger.name("looked_back"), self.account, gap_id)
        self.ledger.redis.delete(self._place)

    def of(self, tag: str) -> list[RunId]:
        """Return the runs with a marker's `{digest}.{attempt}`, the oldest first."""
        return list(json.loads(self.ledger.redis.hget(self._lost, tag) or "[]"))

    def add(self, tag: str, run_id: RunId) -> None:
        """Remember a run."""
        known = self.of(tag)
        if run_id not in known:
            self.ledger.redis.hset(self._lost, tag, json.dumps([*known, run_id]))
            self.ledger.redis.expire(self._lost, KEPT_SECS)

    @property
    def _lost(self) -> str:
        return self.ledger.name("lost_runs", self.account)

    @property
    def _place(self) -> str:
        return self.ledger.name("look_back", self.account)

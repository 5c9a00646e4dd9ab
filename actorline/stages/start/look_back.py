"""After a gap in the ledger's history: one search of an account's runs for those that the ledger doesn't know.

All jobs of the account share it. It is resumed where it was when a worker dies, and done only when it came to its end.
A run in which no marker can be read, also by itself, can't be told to be ours, and keeps no job from its start.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from redis.lock import Lock

from actorline.identifiers import AccountName, RunId
from actorline.jobs.job import Job
from actorline.ledger.continuity import HistoryGap, lost_since
from actorline.ledger.ledger import Ledger
from actorline.ledger.lost_runs import LostRuns
from actorline.platform.client import Platform
from actorline.platform.clock import SKEW_SECS, moment_ago
from actorline.platform.marker import Marker, digest_of, list_ours
from actorline.platform.runs import RunSummary

LOOK_BACK_LEASE_SECS: Final = 15.0
RUNS_A_BLOCK: Final = 200  # runs between two notes of how far it has come; each may need a request of its own


@dataclass(frozen=True)
class LookBack:
    ledger: Ledger
    platform: Platform
    installation: str
    account: AccountName

    def lost_runs(self, job: Job) -> list[RunId]:
        """Return the runs of the job's attempt that the ledger had forgotten, the oldest first."""
        return self._lost.of(f"{digest_of(job.key)}.{job.attempt}")

    def lease(self) -> Lock:
        return self.ledger.lease("look_back", self.account, seconds=LOOK_BACK_LEASE_SECS)

    def run(self, gap: HistoryGap) -> None:
        """Search to the end. Raises PlatformError; safe to repeat, and resumed then."""
        runs = list_ours(self.platform, self.installation, started_after=self._begin(gap))
        for block in _blocks(runs):
            self._keep([(run, marker) for run, marker in block if marker])
            times = [run.started_at for run, _ in block if run.started_at]
            if times:
                self._lost.note_reached(gap.id, times[-1].timestamp())
        self._lost.note_end(gap.id)

    def _begin(self, gap: HistoryGap) -> datetime:
        reached = self._lost.reached(gap.id)
        if reached is not None:
            return datetime.fromtimestamp(reached, UTC)
        now = self.ledger.now()
        since = lost_since(self.ledger, self._lost.last_gap()) or now
        return moment_ago(self.platform, now - since + SKEW_SECS)

    def _keep(self, marked: Sequence[tuple[RunSummary, Marker]]) -> None:
        """Note the runs that the ledger doesn't know."""
        if not marked:
            return
        run_ids = [run.id for run, _ in marked]
        keys = self.ledger.runs.keys_of(run_ids)
        wanted = set(self.ledger.runs.without_forgotten(run_ids))  # read after the keys, which a `forget` takes away
        for (run, marker), key in zip(marked, keys, strict=True):
            if key is None and run.id in wanted:
                self._lost.add(f"{marker.digest}.{marker.attempt}", run.id)

    @property
    def _lost(self) -> LostRuns:
        return LostRuns(self.ledger, self.account)


def _blocks(
    runs: Iterable[tuple[RunSummary, Marker | None]],
) -> Iterator[list[tuple[RunSummary, Marker | None]]]:
    rest = iter(runs)
    while block := list(islice(rest, RUNS_A_BLOCK)):
        yield block

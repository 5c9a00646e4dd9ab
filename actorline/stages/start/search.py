"""What became of a start whose outcome is unknown: the account's runs are searched for its marker. Changes nothing.

A marker is believed only where it was seen; a run in which it can't be read is distinguished from ours by what it runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from actorline.identifiers import RunId
from actorline.jobs.job import Intent, Job
from actorline.ledger.ledger import Ledger
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.clock import SKEW_SECS, moment_ago
from actorline.platform.marker import SearchResult, find_marked, tag_of
from actorline.platform.runs import read_summary
from actorline.stages.start.run_input import input_test
from actorline.stages.start.suspects import may_be_ours

SUSPECTS_SHOWN: Final = 5


def find_runs(ledger: Ledger, platform: Platform, marker: str, *, since: float) -> SearchResult:
    """Return the runs with a marker that were started since a time by Redis's clock, without those of a forgotten job
    that had the key. Raises PlatformError.
    """
    found = find_marked(platform, marker, started_after=moment_ago(platform, ledger.now() - since))
    return replace(found, run_ids=ledger.runs.without_forgotten(found.run_ids))


@dataclass(frozen=True)
class StartSearch:
    ledger: Ledger
    platform: Platform

    def look_for(self, job: Job, intent: Intent) -> SearchResult:
        """Search the platform's list, and the run that a webhook named, which the list may lack yet."""
        found = find_runs(self.ledger, self.platform, intent.marker, since=intent.at - SKEW_SECS)
        hinted = self.ledger.webhooks.hinted_run(job.key)
        if hinted and not found.run_ids and self._is_marked(hinted, intent.marker):
            found.run_ids.extend(self.ledger.runs.without_forgotten([hinted]))
        return found

    def _is_marked(self, run_id: RunId, marker: str) -> bool:
        try:
            user_agent = read_summary(self.platform, run_id).meta.user_agent
        except platform_errors.NotFound:
            return False
        return tag_of(marker) in (user_agent or "")

    def find_suspects(self, job: Job, intent: Intent, found: SearchResult) -> list[RunId]:
        """Return the runs that may be ours. Another user agent clears a run only where ours is known to come back.

        The result is remembered for a while: the execution that follows, because a stop wish came meanwhile, needs no
        search of its own.
        """
        doubtful = [*found.unreadable]
        if not self.ledger.runs.is_marker_proven(job.document.account):
            doubtful += found.others
        suspects: list[RunId] = []
        if doubtful:
            is_ours = input_test(self.ledger, job, intent)
            alike = may_be_ours(self.ledger, self.platform, job, is_ours, doubtful)
            suspects = list(dict.fromkeys(run.id for run in alike))  # several may have no id
        self.ledger.runs.remember_suspects(job.key, intent.at, suspects)
        return suspects

    def last_suspects(self, job: Job, intent: Intent) -> list[RunId] | None:
        """Return the suspects of a search for this intent that has just ended without finding the run; None: there was
        none.
        """
        return self.ledger.runs.last_suspects(job.key, intent.at)


def name_suspects(runs: Sequence[RunId]) -> str:
    shown = ", ".join(runs[:SUSPECTS_SHOWN])
    more = f" and {len(runs) - SUSPECTS_SHOWN} more" if len(runs) > SUSPECTS_SHOWN else ""
    return f"It is unknown whether one of these runs is the job's: {shown}{more}."

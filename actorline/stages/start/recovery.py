"""Runs of an attempt that the ledger doesn't know of: searched for on the platform before another one is started.

A search takes as long as it takes: a lease, which a living search renews, lets one execution search at a time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, assert_never

from redis.lock import Lock

from actorline.errors import Code
from actorline.jobs.job import Intent, Job
from actorline.ledger.admission.capacity_line import CapacityLine
from actorline.ledger.ledger import Ledger
from actorline.platform.client import Platform
from actorline.platform.clock import SKEW_SECS
from actorline.platform.errors import Forbidden, NotFound
from actorline.settings import Settings
from actorline.stages.start.decision import SEARCH_AGAIN_SECS, Facts, is_settled
from actorline.stages.start.look_back import LookBack
from actorline.stages.start.permit import Permit
from actorline.stages.start.refusal import asks_for_list
from actorline.stages.start.search import StartSearch, find_runs
from actorline.stages.start.steps import FindLostRuns, PlanAgain, Search, SearchEarly, WaitTurn
from actorline.stages.start_lease import START_LEASE_SECS, holding_on

# also where nothing was lost: an emptied Redis looks like a new one
LOOKING_BACK: Final = (
    "The account's runs are searched once, before any is started: the ledger is new, was restored, or was not watched "
    "for a while."
)


@dataclass(frozen=True)
class Recovery:
    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str

    def find_out(self, job: Job, facts: Facts, asked: FindLostRuns | SearchEarly | Search) -> Facts:
        """Return what the platform shows. Raises PlatformError: then nothing is known."""
        try:
            return self._look(job, facts, asked)
        except NotFound as error:
            if not asks_for_list(error):
                raise
            # each account has this list: who may not see it is told that it isn't there
            raise Forbidden(error.message, status=error.status, type=error.type, request=error.request) from error

    def _look(self, job: Job, facts: Facts, asked: FindLostRuns | SearchEarly | Search) -> Facts:
        match asked:
            case FindLostRuns():
                return self._find_lost_runs(job, facts, asked.permit)
            case SearchEarly():
                return self._search_early(job, facts, asked.intent)
            case Search():
                return self._search(job, facts, asked.intent, asked.permit)
            case _:
                assert_never(asked)

    # -- the ledger may have lost intents, or itself

    def _find_lost_runs(self, job: Job, facts: Facts, permit: Permit) -> Facts:
        found = permit.lost_runs
        if found is None:
            look_back = LookBack(self.ledger, self.platform, self.installation, job.document.account)
            if obstacle := self._look_back(job, look_back, permit):
                return replace(facts, obstacle=obstacle)
            found = look_back.lost_runs(job)
        return replace(facts, is_late=permit.send_by.is_past(), found=found)

    def _look_back(self, job: Job, look_back: LookBack, permit: Permit) -> WaitTurn | None:
        """Search the account's runs, once for all its jobs. Return what keeps this execution from it."""
        looking = look_back.lease()
        if not looking.acquire():
            return WaitTurn(Code.CAPACITY, LOOKING_BACK, was_refused=True)
        try:
            with holding_on(self.ledger, job, permit.lease, looking):
                look_back.run(permit.gap)
        finally:
            looking.release()
        CapacityLine(self.ledger, job.document.account).let_in()
        return None

    # -- an intent is there, and no run

    def _search_early(self, job: Job, facts: Facts, intent: Intent) -> Facts:
        with self._searching(job) as is_ours:
            if not is_ours:
                return replace(facts, obstacle=PlanAgain(SEARCH_AGAIN_SECS))
            found = find_runs(self.ledger, self.platform, intent.marker, since=intent.at - SKEW_SECS)
        return replace(facts, found=found.run_ids)

    def _search(self, job: Job, facts: Facts, intent: Intent, permit: Permit) -> Facts:
        """Search, unless a search that ended just now without a find counts for this execution as well."""
        self.ledger.agenda.plan_second_search(job.key, job.attempt)
        suspects = self._searcher.last_suspects(job, intent)
        if suspects is not None:
            return replace(facts, suspects=suspects)
        with self._searching(job, permit.lease) as is_ours:
            if not is_ours:
                return replace(facts, obstacle=PlanAgain(SEARCH_AGAIN_SECS))
            return self._look_for(job, facts, intent)

    def _look_for(self, job: Job, facts: Facts, intent: Intent) -> Facts:
        began_at = self.ledger.now()
        found = self._searcher.look_for(job, intent)
        send_by_s, settle_s = self.settings.send_by_secs, self.settings.start_settle_secs
        if found.run_ids or not is_settled(intent, began_at=began_at, send_by_s=send_by_s, settle_s=settle_s):
            return replace(facts, found=found.run_ids)
        return replace(facts, suspects=self._searcher.find_suspects(job, intent, found))

    @contextmanager
    def _searching(self, job: Job, *held: Lock) -> Iterator[bool]:
        """Take the search lease and keep it, and what else is held; yield whether that was possible."""
        lease = self.ledger.lease("search", job.key, seconds=START_LEASE_SECS)
        if not lease.acquire():
            yield False
            return
        try:
            with holding_on(self.ledger, job, *held, lease):
                yield True
        finally:
            lease.release()

    @property
    def _searcher(self) -> StartSearch:
        return StartSearch(self.ledger, self.platform)

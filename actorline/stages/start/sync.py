"""The synchronous flow: the response to the POST that starts the run has its items, which become the first page.

Meanwhile the job looks for its own run by the marker, as if the start's reply were lost: so it is polled, can be
cancelled, and is adopted if the 300 s pass or the connection breaks. Nothing rests on the reply but the time it saves.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from actorline.delivery.formats.table import FORMATS
from actorline.delivery.page_plan import PAGE_ITEMS_MAX, Window
from actorline.identifiers import ExecutionToken, RunId
from actorline.jobs.job import Job
from actorline.jobs.states import Event, State, sources
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.clock import SKEW_SECS
from actorline.platform.datasets import ItemsPage
from actorline.platform.start import SendBy, StartRequest, StartUnclear
from actorline.platform.sync import run_sync
from actorline.settings import Settings
from actorline.shutdown import GivenBack
from actorline.stages.collect.fetch_page import PageFetch, PageFetcher
from actorline.stages.start.search import find_runs

log = Logger(__name__)


@dataclass(frozen=True)
class SyncFlow:
    ledger: Ledger
    platform: Platform
    settings: Settings

    def run(
        self,
        job: Job,
        request: StartRequest,
        *,
        send_by: SendBy,
        announce: Callable[[], None],
        execution: ExecutionToken,
    ) -> RunId:
        """Run the Actor to its end, and return the run's id. Raises what `start_run` raises."""
        asked = replace(request, query={**request.query, **self._query(job)})
        outcome = run_sync(self.platform, asked, wants_items=wants_items(job), send_by=send_by, announce=announce)
        if isinstance(outcome, str):
            return outcome
        if outcome is None:
            return self._own_run(job, request.marker)
        with outcome:
            run_id = self._own_run(job, request.marker)
            self._keep_page(job, run_id, outcome, execution)
        return run_id

    def _query(self, job: Job) -> dict[str, str]:
        """Return the query's part about the items."""
        if not wants_items(job):
            return {}
        collect, window = job.document.collect, first_window(job)
        asked = FORMATS[collect.format].query(collect.query())
        return {**asked, "offset": str(window.offset), "limit": str(window.limit)}

    def _own_run(self, job: Job, marker: str) -> RunId:
        """Return the run that has just ended: the ledger knows it by now, or the platform's list does."""
        known = self.ledger.runs.of(job.key, job.attempt)
        if known:
            return known[0]
        try:
            found = find_runs(self.ledger, self.platform, marker, since=job.queued_at - SKEW_SECS).run_ids
        except platform_errors.PlatformError as error:
            raise StartUnclear(f"the run has ended, and the list of runs can't be read: {error}") from error
        if not found:
            raise StartUnclear("the run has ended, and isn't in the list of runs yet")
        return found[0]

    def _keep_page(self, job: Job, run_id: RunId, page: ItemsPage, execution: ExecutionToken) -> None:
        """Store the items as the first page; what goes wrong with them is fetched again like any page."""
        self.ledger.runs.record(
            job.key,
            job.attempt,
            job.epoch,
            run_id,
            states=sources(Event.RUN_KNOWN),
            due_in_s=self.settings.lost_message_secs,
            found=False,
        )
        window = first_window(job)
        if self.ledger.pages.fix(job.key, job.attempt, window) != window:
            return
        fetcher = PageFetcher(self.ledger, self.platform, self.settings, first=page)
        try:
            outcome = fetcher.fetch(job.key, PageFetch(job.attempt, window), execution)
        except GivenBack:  # the start itself is done
            return
        log.info("sync_page", job_key=job.key, outcome=type(outcome).__name__)


def poll_now(ledger: Ledger, job: Job) -> None:
    """Let upkeep check the run, which has ended, at once."""
    ledger.change(job.key, Change(due_in_s=0, fields={"is_planned": True}), states={State.RUNNING}, epoch=None)


def wants_items(job: Job) -> bool:
    """Return whether the reply is read as rows. A format that can't be cut waits for the counters, so it is fetched
    later.
    """
    return job.document.collect.dataset and FORMATS[job.document.collect.format].is_cut


def first_window(job: Job) -> Window:
    collect = job.document.collect
    limit = min(collect.limit or PAGE_ITEMS_MAX, collect.page_items or PAGE_ITEMS_MAX)
    return Window(page_no=0, offset=collect.offset, limit=limit)

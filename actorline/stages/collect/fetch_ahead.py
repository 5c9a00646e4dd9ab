"""Fetching ahead: while a run is running, the full pages that its dataset already holds are fetched, so that only the
tail is left when it ends. Rows are only ever appended, so a full window of a growing dataset never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from actorline.delivery.formats.table import FORMATS
from actorline.delivery.page_plan import Pages, Window, full_page, full_windows, item_bytes, next_offset
from actorline.delivery.sink import SinkError, open_sink
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.datasets import Dataset, get_dataset

LOOK_MIN_SECS: Final = 5.0
LOOK_MAX_SECS: Final = 120.0  # a dataset that fills slowly costs a request in two minutes


@dataclass(frozen=True)
class Ahead:
    """Full pages to fetch now."""

    attempt: int
    pages: Sequence[Window]


@dataclass(frozen=True)
class AheadPlanner:
    ledger: Ledger
    platform: Platform
    installation: str

    def plan(self, key: JobKey, epoch: int) -> Ahead | None:
        """Fix the windows that are full by now, and say when to look next. Raises PlatformError: then later."""
        job = self.ledger.load(key)
        if job is None or job.epoch != epoch or not may_fetch_ahead(job) or job.run.dataset_id is None:
            return None
        try:
            open_sink(job.sink_url).claim(self.installation, key)
            dataset = get_dataset(self.platform, job.run.dataset_id)
        except (SinkError, platform_errors.NotFound):
            return None  # the stage that collects says what it means
        collect = job.document.collect
        known = self.ledger.pages.all(key, job.attempt)
        each = item_bytes(known, total=dataset.item_count, storage_bytes=dataset.stats.storage_bytes)
        size = collect.page_items or full_page(each)
        windows = full_windows(known, start=collect.offset, total=dataset.item_count, stop=collect.stop, size=size)
        fixed = [self.ledger.pages.fix(key, job.attempt, window) for window in windows]
        won = self.ledger.change(
            key,
            Change(
                event=TimelineEvent.FETCHING_AHEAD if fixed else None,
                data={"pages": len(fixed), "items_total": dataset.item_count},
                fields={
                    "items_total": dataset.item_count,
                    "ahead_at": self.ledger.now() + next_look(job, dataset, known, size, now=self.ledger.now()),
                    "ahead_sent_at": None,
                },
            ),
            states={State.RUNNING},
            epoch=epoch,
        )
        return None if won is None else Ahead(job.attempt, [page for page in fixed if isinstance(page, Window)])


def may_fetch_ahead(job: Job) -> bool:
    """Return whether pages may be fetched ahead: not with `desc`, whose windows move while rows come, nor where all
    rows come in one response.
    """
    collect = job.document.collect
    wanted = collect.dataset and collect.while_running and not collect.desc
    return wanted and FORMATS[collect.format].is_cut and job.state is State.RUNNING and not job.stop_wish


def look_at(job: Job) -> float:
    """Return when to look for full pages next; not in the first seconds: a short run isn't worth the request."""
    return job.collection.ahead_at or (job.run.known_at or job.queued_at) + LOOK_MIN_SECS


def may_send(job: Job, *, now: float, empty_at: float) -> bool:
    """Return whether to send a message that looks for full pages: it is time, and the last one has left its queue,
    which was seen empty at `empty_at`.
    """
    is_waiting = job.collection.ahead_sent_at is not None and empty_at <= job.collection.ahead_sent_at
    return may_fetch_ahead(job) and now >= look_at(job) and not is_waiting


def next_look(job: Job, dataset: Dataset, known: Pages, size: int, *, now: float) -> float:
    """Return the seconds until another full page is likely, at the rate at which rows came so far; while none came, as
    long as the run has been running.
    """
    elapsed = max(now - (job.run.known_at or job.queued_at), 1)
    missing = next_offset(known, job.document.collect.offset) + size - dataset.item_count
    wait = missing * elapsed / dataset.item_count if dataset.item_count else elapsed
    return min(max(wait, LOOK_MIN_SECS), LOOK_MAX_SECS)

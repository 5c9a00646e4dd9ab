"""Fetching ahead: while a run is running, the full pages that its dataset already holds are fetched, so that only the
tail is left when it ends. Rows are only ever appended, so a full window of a growing dataset never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from actorline.delivery.formats.table import FORMATS
from actorline.delivery.page_plan import (
    PAGE_ITEMS_MIN,
    PARALLEL_PAGES,
    Pages,
    Window,
    full_page,
    full_windows,
    item_bytes,
    known_end,
    next_offset,
)
from actorline.delivery.sink import SinkError, open_sink
from actorline.identifiers import JobKey
from actorline.jobs.fields import NOW
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.datasets import Dataset, get_dataset
from actorline.settings import Settings
from actorline.stages.collect.judge_rows import RowsJudge, is_watched
from actorline.stages.silent_sink import soon

LOOK_MIN_SECS: Final = 5.0
LOOK_MAX_SECS: Final = 120.0  # a dataset that fills slowly costs a request in two minutes
WATCHED_LOOK_SECS: Final = 2.0  # rows that are judged are looked at with each poll: until then junk is paid for
WATCHED_ITEMS_MIN: Final = 100  # a page is a request and a file


@dataclass(frozen=True)
class Ahead:
    """Full pages to fetch now."""

    attempt: int
    pages: Sequence[Window]


@dataclass(frozen=True)
class AheadPlanner:
    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str

    def plan(self, key: JobKey, epoch: int) -> Ahead | None:
        """Fix the windows that are full by now, and say when to look next. Rows that are there already are judged, as
        far as the document asks for that. Raises PlatformError: then later.
        """
        job = self.ledger.load(key)
        if job is None or job.epoch != epoch or not may_fetch_ahead(job) or job.run.dataset_id is None:
            return None
        try:
            soon(job.sink_url, partial(open_sink(job.sink_url).claim, self.installation, key))
            dataset = get_dataset(self.platform, job.run.dataset_id)
        except (SinkError, platform_errors.NotFound):
            return None  # the stage that collects says what it means
        collect = job.document.collect
        known = self.ledger.pages.all(key, job.attempt)
        each = item_bytes(known, total=dataset.item_count, storage_bytes=dataset.stats.storage_bytes)
        size = collect.page_items or full_page(each)
        if is_watched(job.document) and not collect.page_items:
            size = min(size, watched_page(job, known, dataset.item_count))
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
                    **({"grew_at": NOW} if dataset.item_count > (job.collection.items_total or 0) else {}),
                },
            ),
            states={State.RUNNING},
            epoch=epoch,
        )
        RowsJudge(self.ledger, self.settings).judge_running(key)
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
    first_s = WATCHED_LOOK_SECS if is_watched(job.document) else LOOK_MIN_SECS
    return job.collection.ahead_at or (job.run.known_at or job.queued_at) + first_s


def may_send(job: Job, *, now: float, empty_at: float) -> bool:
    """Return whether to send a message that looks for full pages: it is time, and the last one has left its queue,
    which was seen empty at `empty_at`.
    """
    is_waiting = job.collection.ahead_sent_at is not None and empty_at <= job.collection.ahead_sent_at
    return may_fetch_ahead(job) and now >= look_at(job) and not is_waiting


def next_look(job: Job, dataset: Dataset, known: Pages, size: int, *, now: float) -> float:
    """Return the seconds until another full page is likely, at the rate at which rows came so far; while none came, as
    long as the run has been running. Rows that are judged are looked at soon: also none may be too few.
    """
    if is_watched(job.document):
        return WATCHED_LOOK_SECS
    elapsed = max(now - (job.run.known_at or job.queued_at), 1)
    missing = next_offset(known, job.document.collect.offset) + size - dataset.item_count
    wait = missing * elapsed / dataset.item_count if dataset.item_count else elapsed
    return min(max(wait, LOOK_MIN_SECS), LOOK_MAX_SECS)


def watched_page(job: Job, known: Pages, counted: int) -> int:
    """Return the items of a page whose rows are judged: few at first, as nothing is known before a page is full, then
    about a tenth of those that were read; of many that wait, as many pages as are fetched side by side.
    """
    guard = job.document.guard
    first = max(guard.after_items if guard else 0, WATCHED_ITEMS_MIN)
    start = job.document.collect.offset
    read, waiting = known_end(known) - start, counted - next_offset(known, start)
    return max(min(first, PAGE_ITEMS_MIN), read // 10, waiting // PARALLEL_PAGES)

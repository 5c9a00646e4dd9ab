"""The stage *fetch pages*: plan a dataset's next windows, which are then fetched side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from actorline.delivery.formats.table import FORMATS
from actorline.delivery.page_plan import (
    PAGE_ITEMS_MAX,
    WAVE_PAGES,
    Window,
    expected_items,
    has_caught_up,
    item_bytes,
    known_end,
    new_windows,
    not_failed,
    page_size,
    to_fetch,
    wave_pages,
)
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import SinkError, open_sink
from actorline.errors import Code
from actorline.identifiers import DatasetId, JobKey
from actorline.jobs.fields import NOW, JobFields
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.step import Step, Stop
from actorline.jobs.timeline_event import TimelineEvent
from actorline.json_size import fitting
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.datasets import Dataset, get_dataset
from actorline.settings import Settings
from actorline.stages.ending import end_for_sink
from actorline.stages.silent_sink import soon

WHOLE_ITEMS_MAX: Final = PAGE_ITEMS_MAX  # in one response; it takes the platform's memory, not ours
ERROR_BYTES: Final = 500  # of a page in a reason: a result has 4 kB


@dataclass(frozen=True)
class Wave:
    """Pages to fetch side by side, each with the number of items that it must scan at least."""

    attempt: int
    pages: Sequence[tuple[Window, int]]


@dataclass(frozen=True)
class Planner:
    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str

    def plan(self, job: Job, known: dict[int, Window | Receipt]) -> Wave | Step:
        """Fix the next windows and return all that are still to be fetched; none: only the finish is left to do.

        Raises PlatformError, and SinkError while that may pass: the plan is then made again later.
        """
        try:
            soon(job.sink_url, partial(open_sink(job.sink_url).claim, self.installation, job.key))
        except SinkError as error:
            return end_for_sink(self.ledger, job, error)
        pages, counters = self._look_at_dataset(job, known)
        won = self.ledger.change(
            job.key,
            Change(
                due_in_s=self.settings.lost_message_secs,
                event=TimelineEvent.FETCHING if pages else None,
                data={"pages": len(pages)},
                fields={"sent_at": NOW, "planned_at": NOW, "pages_before": job.collection.pages, **counters},
            ),
            states={State.COLLECTING},
            epoch=job.epoch,
        )
        return Stop() if won is None else Wave(job.attempt, pages)

    def _look_at_dataset(
        self, job: Job, known: dict[int, Window | Receipt]
    ) -> tuple[Sequence[tuple[Window, int]], JobFields]:
        """Return the pages to fetch, and what the ledger keeps of the dataset's counters."""
        if not (job.document.collect.dataset and job.run.dataset_id) or job.stop_wish:
            return [], {}
        is_settled = self.ledger.now() >= settled_at(job, self.settings)
        if needs_settled_counters(job) and not is_settled:
            return [], {}
        dataset = find_dataset(self.platform, job.run.dataset_id)
        # the counters lag, so the rows that were read already count as well
        total = max(dataset.item_count if dataset else 0, known_end(known))
        pages = self._windows(job, known, dataset, total, is_settled=is_settled)
        return pages, {"items_total": total} if dataset else {}

    def _windows(
        self, job: Job, known: dict[int, Window | Receipt], dataset: Dataset | None, total: int, *, is_settled: bool
    ) -> Sequence[tuple[Window, int]]:
        collect, end = job.document.collect, job.collection.items_end
        each = item_bytes(known, total=total, storage_bytes=dataset.stats.storage_bytes if dataset else None)
        if dataset and end is None and is_settled and job.document.dataset_id:
            end = dataset.item_count
            fixed = Change(fields={"items_end": end})  # before the windows that it bounds
            self.ledger.change(job.key, fixed, states={State.COLLECTING}, epoch=job.epoch)
        if has_caught_up(known, end):
            return []
        stop = stop_of(job, end)
        total = total if end is None else max(end, known_end(known))
        if not FORMATS[collect.format].is_cut:
            return self._whole(job, known, total, stop)
        wanted = max((total if stop is None else min(total, stop)) - collect.offset, 0)
        size = page_size(total=wanted, bytes_per_item=each, asked=collect.page_items)
        room = (WAVE_PAGES if collect.page_items else wave_pages(each)) - len(not_failed(known))
        if any(isinstance(page, Receipt) and page.is_refused for page in known.values()):
            room = 0  # others would be refused alike; first it is confirmed
        self._fix(job, known, new_windows(known, start=collect.offset, total=total, stop=stop, size=size, room=room))
        windows = not_failed(known) or to_fetch(known)
        return [(window, expected_items(window, known, total)) for window in windows][:WAVE_PAGES]

    def _whole(
        self, job: Job, known: dict[int, Window | Receipt], total: int, stop: int | None
    ) -> list[tuple[Window, int]]:
        """Return the one window of a format that can't be cut; then one item behind it, where nothing more may be."""
        start, size, room = job.document.collect.offset, 1 if known else WHOLE_ITEMS_MAX, 1 - len(to_fetch(known))
        self._fix(job, known, new_windows(known, start=start, total=total, stop=stop, size=size, room=room))
        pages = [(window, expected_items(window, known, total)) for window in to_fetch(known)]
        wanted = (total if stop is None else min(total, stop)) - start
        if pages and wanted > WHOLE_ITEMS_MAX:
            unfit = bad_receipt(pages[0][0], Code.FORMAT_FAILED, too_large(job))
            self.ledger.pages.record(job.key, job.attempt, unfit, due_in_s=self.settings.lost_message_secs)
            return []
        return pages

    def _fix(self, job: Job, known: dict[int, Window | Receipt], windows: Sequence[Window]) -> None:
        for window in windows:
            known[window.page_no] = self.ledger.pages.fix(job.key, job.attempt, window)


class Collecting(NamedTuple):
    """A job whose rows are collected, and its pages as far as they are planned or stored."""

    job: Job
    pages: dict[int, Window | Receipt]


def load_collecting(ledger: Ledger, key: JobKey, epoch: int) -> Collecting | None:
    """Return the job if this epoch still collects it."""
    job, pages = ledger.load_with_pages(key)
    if job is None or job.epoch != epoch or job.state is not State.COLLECTING:
        return None
    return Collecting(job, pages)


def stop_of(job: Job, items_end: int | None) -> int | None:
    """Return where the job's rows end, as far as that is fixed before they are read."""
    stop = job.document.collect.stop
    if not needs_settled_counters(job) or items_end is None:
        return stop
    return items_end if stop is None else min(stop, items_end)


def needs_settled_counters(job: Job) -> bool:
    """Return whether no page may be read before it is known how many rows the dataset has."""
    return not FORMATS[job.document.collect.format].is_cut or is_moving(job)


def is_moving(job: Job) -> bool:
    """Return whether windows are counted from the last row of a dataset to which rows may still be appended."""
    return job.document.collect.desc and job.document.dataset_id is not None


def find_dataset(platform: Platform, dataset_id: DatasetId) -> Dataset | None:
    """Return the dataset, or None if the platform says that there is none. Raises PlatformError."""
    try:
        return get_dataset(platform, dataset_id)
    except platform_errors.NotFound:
        return None


def settled_at(job: Job, settings: Settings) -> float:
    """Return when the platform's counters have caught up with the dataset that is collected."""
    return (job.collection.started_at or 0) + settings.dataset_lag_secs


def too_large(job: Job) -> str:
    """Return why a dataset isn't delivered in a format that can't be cut into pages."""
    return (
        f"The dataset holds more than the {WHOLE_ITEMS_MAX:,} items that one {job.document.collect.format} file is "
        f"made of. No row is lost: order dataset_id {job.run.dataset_id} as jsonl, json, csv or parquet, or with "
        "collect.limit."
    )


def bad_receipt(window: Window, code: Code, error: str, platform_type: str | None = None) -> Receipt:
    """Return a receipt that says why the window isn't stored."""
    words = fitting(error, ERROR_BYTES)
    return Receipt(**window.model_dump(), scanned=0, items=0, code=code, error=words, platform_type=platform_type)

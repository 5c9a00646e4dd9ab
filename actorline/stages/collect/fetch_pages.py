"""The stages *fetch pages* and *fetch page*: a dataset's windows, fanned out, each stored once with a receipt."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import redis

from actorline.delivery.folder import attempt_folder, superseded_folder
from actorline.delivery.formats.json_lines import JsonLines
from actorline.delivery.formats.table import FORMATS
from actorline.delivery.formats.text import PageText, UnreadablePage
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
from actorline.delivery.part import PartFacts, download_window, inspect_part
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import Sink, SinkError, open_sink
from actorline.errors import Code
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.step import LostJobError, Step, Stop
from actorline.keep_alive import renewed
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.datasets import Dataset, ItemsPage, ItemsReader, get_dataset
from actorline.settings import Settings
from actorline.shutdown import GivenBackError
from actorline.stages.ending import end_for_sink

FETCH_STATES: Final = frozenset({State.RUNNING, State.COLLECTING})
PAGE_TRIES: Final = 6  # with doubling back-off about 30 s: longer outages are the next wave's
LEASE_SECS: Final = 10.0  # renewed between blocks; a holder that is gone for so long is taken for dead
RENEW_SECS: Final = 2.0
WHOLE_ITEMS_MAX: Final = PAGE_ITEMS_MAX  # in one answer; what makes it is the platform's memory, not ours
WHOLE_SILENCE_SECS: Final = 360.0  # a table is made before it is sent; the official client waits as long for items
HELD_SECS: Final = 1.0  # another execution has the page: look for its receipt so often


@dataclass(frozen=True)
class Wave:
    """Pages to fetch side by side, each with the number of items that it must scan at least."""

    attempt: int
    pages: Sequence[tuple[Window, int]]


@dataclass(frozen=True)
class Held:
    """Another execution is fetching this page."""


@dataclass(frozen=True)
class Planner:
    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str

    def plan(self, key: str, epoch: int) -> Wave | Step:
        """Fix the next windows and answer all that are still to be fetched; none: only the finish is left to do.

        Raises PlatformError, and SinkError while that may pass: the plan is then made again later.
        """
        job = self.ledger.load(key)
        if job is None or job.epoch != epoch or job.state is not State.COLLECTING:
            return Stop()
        try:
            open_sink(job.sink_url).claim(self.installation, key)
        except SinkError as error:
            return end_for_sink(self.ledger, job, error)
        pages: list[tuple[Window, int]] = []
        if job.document.collect.dataset and job.dataset_id and not job.stop_wish:
            pages = self._windows(job, job.dataset_id)
        won = self.ledger.change(
            key,
            Change(
                due_in_s=self.settings.lost_message_secs,
                event="fetching" if pages else "",
                data={"pages": len(pages)},
                fields={"sent_at": "@now", "planned_at": "@now", "pages_before": job.pages},
            ),
            states={State.COLLECTING},
            epoch=epoch,
        )
        return Stop() if won is None else Wave(job.attempt, pages)

    def _windows(self, job: Job, dataset_id: str) -> list[tuple[Window, int]]:
        collect = job.document.collect
        known = self.ledger.pages.all(job.key, job.attempt)
        is_settled = self.ledger.now() >= settled_at(job, self.settings)
        if needs_settled_counters(job) and not is_settled:
            return []
        dataset = find_dataset(self.platform, dataset_id)
        counted = dataset.item_count if dataset else 0
        # the counters lag, so the rows that were read already count as well
        total = max(counted, known_end(known))
        each = item_bytes(known, total=total, storage_bytes=dataset.stats.storage_bytes if dataset else None)
        end = job.items_end
        if dataset:
            end = counted if end is None and is_settled and job.document.dataset_id else end
            counters = Change(fields={"items_total": total, "items_end": end})
            self.ledger.change(job.key, counters, states={State.COLLECTING}, epoch=job.epoch)
        if has_caught_up(known, end):
            return []
        stop = stop_of(job.model_copy(update={"items_end": end}))
        total = total if end is None else max(end, known_end(known))
        if not FORMATS[collect.format].is_cut:
            return self._whole(job, known, total, stop)
        wanted = max((total if stop is None else min(total, stop)) - collect.offset, 0)
        size = page_size(total=wanted, item_bytes=each, asked=collect.page_items)
        room = (WAVE_PAGES if collect.page_items else wave_pages(each)) - len(not_failed(known))
        self._fix(job, known, new_windows(known, start=collect.offset, total=total, stop=stop, size=size, room=room))
        windows = not_failed(known) or to_fetch(known)
        return [(window, expected_items(window, known, total)) for window in windows][:WAVE_PAGES]

    def _whole(
        self, job: Job, known: dict[int, Window | Receipt], total: int, stop: int | None
    ) -> list[tuple[Window, int]]:
        """The one window of a format that can't be cut; then one item behind it, where nothing more must be."""
        start, size, room = job.document.collect.offset, 1 if known else WHOLE_ITEMS_MAX, 1 - len(to_fetch(known))
        self._fix(job, known, new_windows(known, start=start, total=total, stop=stop, size=size, room=room))
        pages = [(window, expected_items(window, known, total)) for window in to_fetch(known)]
        wanted = (total if stop is None else min(total, stop)) - start
        if pages and wanted > WHOLE_ITEMS_MAX:
            unfit = _bad(pages[0][0], Code.FORMAT_FAILED, too_large(job))
            self.ledger.pages.record(job.key, job.attempt, unfit, care_s=self.settings.lost_message_secs)
            return []
        return pages

    def _fix(self, job: Job, known: dict[int, Window | Receipt], windows: Sequence[Window]) -> None:
        for window in windows:
            known[window.page_no] = self.ledger.pages.fix(job.key, job.attempt, window)


def stop_of(job: Job) -> int | None:
    """Where the rows end that the job reads, as far as that is fixed before they are read."""
    collect = job.document.collect
    ends = [] if collect.limit is None else [collect.offset + collect.limit]
    if needs_settled_counters(job) and job.items_end is not None:
        ends.append(job.items_end)
    return min(ends, default=None)


def needs_settled_counters(job: Job) -> bool:
    """Whether no page may be read before it is known how many rows the dataset has."""
    return not FORMATS[job.document.collect.format].is_cut or is_moving(job)


def is_moving(job: Job) -> bool:
    """Whether windows are counted from the last row of a dataset to which rows may still be appended."""
    return job.document.collect.desc and job.document.dataset_id is not None


def find_dataset(platform: Platform, dataset_id: str) -> Dataset | None:
    """The dataset, or None if the platform says that there is none. Raises PlatformError."""
    try:
        return get_dataset(platform, dataset_id)
    except platform_errors.NotFound:
        return None


def settled_at(job: Job, settings: Settings) -> float:
    """When the platform's counters have caught up with the dataset that is collected."""
    return (job.collecting_at or 0) + settings.dataset_lag_secs


def too_large(job: Job) -> str:
    """Why a dataset isn't delivered in a format that can't be cut into pages."""
    return (
        f"The dataset holds more than the {WHOLE_ITEMS_MAX:,} items that one {job.document.collect.format} file is "
        f"made of. No row is lost: order dataset_id {job.dataset_id} as jsonl, json, csv or parquet, or with "
        "collect.limit."
    )


@dataclass(frozen=True)
class PageFetcher:
    """`first`: an answer that holds the page's first items already, as the synchronous endpoints give it."""

    ledger: Ledger
    platform: Platform
    settings: Settings
    first: ItemsPage | None = None

    def fetch(
        self, key: str, attempt: int, window: Window, *, expected: int, execution: str, tries: int
    ) -> Receipt | Held | UnreadablePage:
        """Store one page and return its receipt; a failure is returned while tries are left, then as a bad receipt.

        Raises only what keeps the ledger from taking a receipt, and GivenBackError.
        """
        known = self.ledger.pages.get(key, attempt, window.page_no)
        if isinstance(known, Receipt) and known.is_good and known.scanned:
            return known
        job = self.ledger.load(key)
        if job is None or job.state not in FETCH_STATES or job.attempt != attempt or job.stop_wish:
            return _unwanted(window)
        lease = self.ledger.lease("page", key, f"{attempt}:{window.page_no}", seconds=LEASE_SECS)
        if not lease.acquire():
            return Held()
        try:
            receipt = self._read(job, window, expected, execution, lease)
        except LostJobError:
            return _unwanted(window)
        except (redis.RedisError, GivenBackError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever the bytes of one page break, the others go on
            self.ledger.pages.note_failed(key, attempt, window.page_no, _cause_of(error))
            if tries + 1 < PAGE_TRIES and _may_pass(error):
                return UnreadablePage(_words_of(error))
            receipt = _bad(window, self._code_of(job, error), _words_of(error))
        finally:
            _release(lease)
        return self.ledger.pages.record(key, attempt, receipt, care_s=self.settings.lost_message_secs)

    def _code_of(self, job: Job, error: Exception) -> Code:
        """Why a page isn't stored. That it isn't found says nothing of the dataset, which is asked for itself."""
        match error:
            case platform_errors.NotFound():
                return Code.DATASET_VANISHED if self._is_gone(job.dataset_id or "") else Code.PAGE_UNREADABLE
            case SinkError():
                return Code.SINK_FAILED
            case UnreadablePage() | platform_errors.PlatformError():
                return Code.PAGE_UNREADABLE
            case _:
                return Code.INTERNAL

    def _is_gone(self, dataset_id: str) -> bool:
        try:
            return find_dataset(self.platform, dataset_id) is None
        except platform_errors.PlatformError:
            return False  # nobody knows

    def _hold_on(self, lease: "redis.lock.Lock", key: str) -> None:
        """Renew the lease, look whether the job still wants the page, and tell upkeep that its messages aren't lost."""
        stop_wish, state = self.ledger.stop_wish_and_state(key)
        if stop_wish:
            raise LostJobError
        try:
            lease.reacquire()
        except redis.exceptions.LockError:
            message = "the lease on this page was lost"
            raise UnreadablePage(message) from None
        if state == State.COLLECTING:
            self.ledger.agenda.postpone(key, self.settings.lost_message_secs)

    def _read(self, job: Job, window: Window, expected: int, execution: str, lease: "redis.lock.Lock") -> Receipt:
        """The page, or what lies behind the one window of a format that can't be cut."""
        format_ = FORMATS[job.document.collect.format]
        is_behind = window.page_no > 0 and not format_.is_cut
        params = {"format": "jsonl"} if is_behind else format_.query(job.document.collect.query())
        silence_s = None if format_.is_cut else WHOLE_SILENCE_SECS
        reader = ItemsReader(self.platform, job.dataset_id or "", params, self.first, silence_s)
        with renewed(lambda: self._hold_on(lease, job.key), RENEW_SECS, cut=reader.cut) as keep_alive:
            if is_behind:
                return self._look_behind(job, window, reader, keep_alive)
            return self._store(job, window, expected, execution, reader, keep_alive)

    def _look_behind(self, job: Job, window: Window, reader: ItemsReader, keep_alive: Callable[[], None]) -> Receipt:
        """See that nothing is there."""
        facts = download_window(
            reader.open,
            window,
            io.BytesIO(),
            text=JsonLines(),
            expected=0,
            compress=False,
            keeps_count=True,
            keep_alive=keep_alive,
        )
        keep_alive()
        if facts.scanned:
            return _bad(window, Code.FORMAT_FAILED, too_large(job))
        return Receipt(**window.model_dump(), scanned=0, items=0, total=facts.total)

    def _store(
        self,
        job: Job,
        window: Window,
        expected: int,
        execution: str,
        reader: ItemsReader,
        keep_alive: Callable[[], None],
    ) -> Receipt:
        collect, order = job.document.collect, job.document.sink
        format_, query = FORMATS[collect.format], collect.query()
        page_name = format_.page_name(window.page_no, order.compression, single_file=order.single_file)
        name = attempt_folder(job.attempt) + page_name
        gzip = format_.page_is_gzipped(order.compression)
        sink = open_sink(job.sink_url)
        with sink.staging(name, execution) as file:
            facts = download_window(
                reader.open,
                window,
                file,
                text=format_.reads(query),
                expected=expected,
                compress=gzip,
                keeps_count=collect.keeps_count,
                keep_alive=keep_alive,
            )
            keep_alive()  # a reading that was cut may look like a whole one
            if facts.scanned and not sink.publish(file, name):
                there = _find_same(sink, name, facts, format_.read_stored(query), gzip=gzip)
                if there is None:
                    sink.publish_instead(file, name, superseded_folder(job.retries) + name)
                facts = there or facts
        return Receipt(
            **window.model_dump(),
            scanned=facts.scanned,
            items=facts.items,
            bytes=facts.bytes if facts.scanned else 0,
            sha256=facts.sha256,
            part=name if facts.scanned else None,
            total=facts.total,
        )


def _find_same(sink: Sink, name: str, ours: PartFacts, text: PageText, *, gzip: bool) -> PartFacts | None:
    """The facts of the part that lies there already, if it holds the same rows: another execution published first,
    perhaps one that died before its receipt. None: an earlier job left it, that had the key until the ledger forgot it.

    A text of which two answers may differ, such as a zip file with its times, is taken for the same.
    """
    try:
        with sink.open(name) as file:
            theirs = inspect_part(file, text=text, compressed=gzip)
    except UnreadablePage:
        return None
    if text.counts_exactly and theirs.text_crc != ours.text_crc:
        return None
    return PartFacts(ours.items, ours.scanned, theirs.bytes, theirs.sha256, ours.text_crc, ours.total)


def _bad(window: Window, code: Code, error: str) -> Receipt:
    return Receipt(**window.model_dump(), scanned=0, items=0, code=code, error=error[:500])


def _unwanted(window: Window) -> Receipt:
    return _bad(window, Code.CANCELLED, "the job doesn't want this page any more")


def _may_pass(error: Exception) -> bool:
    """Whether the page is asked for again at once. What the platform refuses or doesn't find is asked for by the next
    wave: by then some time has gone by.
    """
    return isinstance(error, platform_errors.PlatformUnavailable) or not isinstance(
        error, platform_errors.PlatformError
    )


def _words_of(error: Exception) -> str:
    """What may be told of an error; the text of one that nobody foresaw may hold an item."""
    is_ours = isinstance(error, UnreadablePage | SinkError | platform_errors.PlatformError)
    return str(error) if is_ours else f"an error of Actorline's own, {type(error).__name__}"


def _cause_of(error: Exception) -> str:
    """The same in a few words, for a line on the screen."""
    return error.why if isinstance(error, SinkError) else _words_of(error)


def _release(lease: "redis.lock.Lock") -> None:
    try:
        lease.release()
    except redis.exceptions.LockError:
        return  # it ran out: whoever has it now gives it back

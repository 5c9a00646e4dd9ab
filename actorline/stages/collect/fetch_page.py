"""The stage *fetch page*: one window of a dataset, stored once, with a receipt."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import BinaryIO, Final, TypeGuard

import redis

from actorline.delivery.folder import attempt_folder, superseded_folder
from actorline.delivery.formats.json_lines import JsonLines
from actorline.delivery.formats.table import FORMATS
from actorline.delivery.formats.text import PageText, UnreadablePage
from actorline.delivery.key_sample import KeySample
from actorline.delivery.page_plan import Window
from actorline.delivery.part import PartFacts, download_window, inspect_part
from actorline.delivery.receipt import Receipt
from actorline.delivery.row_counter import RowCounter, WatchedText
from actorline.delivery.sink import Sink, SinkError, open_sink
from actorline.errors import Code
from actorline.identifiers import DatasetId, ExecutionToken, JobKey
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.step import LostJob
from actorline.keep_alive import renewed
from actorline.ledger.ledger import Lease, Ledger
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.datasets import ItemsPage, ItemsReader
from actorline.settings import Settings
from actorline.shutdown import GivenBack
from actorline.stages.collect.fetch_pages import bad_receipt, find_dataset, stop_of, too_large
from actorline.stages.collect.judge_rows import RowsJudge, row_look

FETCH_STATES: Final = frozenset({State.RUNNING, State.COLLECTING})
PAGE_TRIES: Final = 6  # with doubling back-off about 30 s: longer outages are the next wave's
PAGE_LEASE_SECS: Final = 10.0  # renewed between blocks; a holder that is gone for longer counts as dead
PAGE_LEASE_RENEW_SECS: Final = 2.0
SILENCE_MAX_SECS: Final = 360.0  # what the official client grants a list of items: docs/platform-facts.md#page-size
REFUSED_STATUSES: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
"""Of a response of the API that refuses what a request asks for: all that differs from job to job is its document."""
PAGE_HELD_SECS: Final = 1.0  # another execution has the page: look for its receipt so often


@dataclass(frozen=True)
class PageFetch:
    """One fetch of a page. `expected`: how many items it must scan at least; `tries`: how often it was tried before."""

    attempt: int
    window: Window
    expected: int = 0
    tries: int = 0


@dataclass(frozen=True)
class PageHeld:
    """Another execution is fetching this page."""


@dataclass(frozen=True)
class PageFetcher:
    """`first`: a response that already holds the page's first items, as the synchronous endpoints give it."""

    ledger: Ledger
    platform: Platform
    settings: Settings
    first: ItemsPage | None = None

    def fetch(self, key: JobKey, page: PageFetch, execution: ExecutionToken) -> Receipt | PageHeld | UnreadablePage:
        """Store one page and return its receipt; a failure is returned while tries are left, then as a bad receipt.

        Raises only what keeps the ledger from taking a receipt, and GivenBack.
        """
        attempt, window = page.attempt, page.window
        lease = self.ledger.lease("page", key, f"{attempt}:{window.page_no}", seconds=PAGE_LEASE_SECS)
        if not lease.acquire():
            _, known = self.ledger.load_with_page(key, attempt, window.page_no)
            return known if _is_stored(known) else PageHeld()
        try:  # until its receipt is there: otherwise another execution would read it again
            job, known = self.ledger.load_with_page(key, attempt, window.page_no)
            if _is_stored(known):
                return known
            if job is None or job.state not in FETCH_STATES or job.attempt != attempt or job.stop_wish:
                return _unwanted(window)
            begun = time.monotonic()
            outcome = self._try(job, page, execution, lease)
            if not isinstance(outcome, Receipt):
                return outcome
            is_confirmed = outcome.is_refused and isinstance(known, Receipt) and known.is_refused
            facts = {"seconds": round(time.monotonic() - begun, 3), "refused_twice": is_confirmed}
            timed = outcome.model_copy(update=facts)
            receipt = self.ledger.pages.record(key, attempt, timed, due_in_s=self.settings.lost_message_secs)
        except LostJob:
            return _unwanted(window)
        finally:
            lease.release()
        if receipt.seen and job.state is State.RUNNING:
            RowsJudge(self.ledger, self.settings).judge_running(key)
        return receipt

    def _try(
        self, job: Job, page: PageFetch, execution: ExecutionToken, lease: Lease
    ) -> Receipt | PageHeld | UnreadablePage:
        if page.tries + 1 >= PAGE_TRIES and self._is_last(job, page.window):
            page = replace(page, expected=0)  # the counter is ahead of the rows: what there is of them is kept
        try:
            return self._read(job, page, execution, lease)
        except (redis.RedisError, GivenBack, LostJob):
            raise
        except Exception as error:  # noqa: BLE001 - whatever the bytes of one page break, the others continue
            return self._failure(job, page, error, lease)

    def _failure(
        self, job: Job, page: PageFetch, error: Exception, lease: Lease
    ) -> Receipt | PageHeld | UnreadablePage:
        if not lease.owned():  # frozen for long: another execution has the page, or has stored it, and reports it
            return PageHeld()
        self.ledger.pages.note_failed(job.key, job.attempt, page.window.page_no, _cause_of(error))
        if page.tries + 1 < PAGE_TRIES and _may_pass(error):
            asked_s = platform_errors.asked_wait_s(error)
            if asked_s and job.state is State.COLLECTING:  # upkeep must not take a page that waits for a lost one
                self.ledger.agenda.postpone(job.key, asked_s + self.settings.lost_message_secs)
            again = UnreadablePage(_words_of(error))
            again.__cause__ = error  # whose fault it was is counted
            return again
        platform_type = error.type if isinstance(error, platform_errors.PlatformError) else None
        return bad_receipt(page.window, self._code_of(job, error), _words_of(error), platform_type)

    def _code_of(self, job: Job, error: Exception) -> Code:
        """Return why a page isn't stored. A page that isn't found says nothing of the dataset, which is asked for
        itself.
        """
        match error:
            case platform_errors.NotFound():
                is_gone = self._is_gone(job.run.dataset_id or DatasetId(""))
                return Code.DATASET_VANISHED if is_gone else Code.PAGE_UNREADABLE
            case SinkError():
                return Code.SINK_FAILED
            case platform_errors.InvalidRequest() if error.type and error.status in REFUSED_STATUSES:
                return Code.DOCUMENT_INVALID
            case UnreadablePage() | platform_errors.PlatformError():
                return Code.PAGE_UNREADABLE
            case _:
                return Code.INTERNAL

    def _is_last(self, job: Job, window: Window) -> bool:
        """Return whether no window lies behind this one, so that it may be short. While the run is running one may be
        planned at any moment.
        """
        return (
            job.state is State.COLLECTING
            and self.ledger.load_with_page(job.key, job.attempt, window.page_no + 1)[1] is None
        )

    def _is_gone(self, dataset_id: DatasetId) -> bool:
        try:
            return find_dataset(self.platform, dataset_id) is None
        except platform_errors.PlatformError:
            return False  # unknown

    def _hold_on(self, lease: Lease, key: JobKey) -> None:
        """Renew the lease, look whether the job still wants the page, and tell upkeep that its messages aren't lost."""
        stop_wish, state = self.ledger.stop_wish_and_state(key)
        if stop_wish:
            raise LostJob
        try:
            lease.reacquire()
        except redis.exceptions.LockError:
            raise UnreadablePage("the lease on this page was lost") from None
        if state == State.COLLECTING:
            self.ledger.agenda.postpone(key, self.settings.lost_message_secs)

    def _read(self, job: Job, page: PageFetch, execution: ExecutionToken, lease: Lease) -> Receipt:
        """Read the page, or what comes after the one window of a format that can't be cut."""
        format_ = FORMATS[job.document.collect.format]
        is_behind = page.window.page_no > 0 and not format_.is_cut
        params = {"format": "jsonl"} if is_behind else format_.query(job.document.collect.query())
        silence_s = self._silence_s(page.tries) if format_.is_cut else SILENCE_MAX_SECS
        reader = ItemsReader(self.platform, job.run.dataset_id or DatasetId(""), params, self.first, silence_s)
        with renewed(lambda: self._hold_on(lease, job.key), PAGE_LEASE_RENEW_SECS, cut=reader.cut) as keep_alive:
            if is_behind:
                return self._look_behind(job, page.window, reader, keep_alive)
            return self._store(job, page, execution, reader, keep_alive)

    def _silence_s(self, tries: int) -> float:
        """Return how long the platform may be silent: at first as for any response, as it may be a dead connection, and
        twice as long with each try, as a page may take it longer.
        """
        _, usual_s = self.platform.timeouts
        return min(usual_s * (1 << tries), SILENCE_MAX_SECS)

    def _look_behind(self, job: Job, window: Window, reader: ItemsReader, keep_alive: Callable[[], None]) -> Receipt:
        """Read behind the last page, where nothing should be: the receipt proves the end, or is a bad one."""
        facts = _read_only(reader, window, keep_alive, keeps_count=True)
        if facts.scanned:
            return bad_receipt(window, Code.FORMAT_FAILED, too_large(job))
        return Receipt(**window.model_dump(), scanned=0, items=0, total=facts.total)

    def _ends(
        self, job: Job, window: Window, facts: PartFacts, reader: ItemsReader, keep_alive: Callable[[], None]
    ) -> bool:
        """Return whether nothing lies behind a page that is the last as far as the platform knows. So the page itself
        proves the dataset's end; a read that fails proves nothing, and the next wave reads the end.

        Not while the run is still running, nor with the reply of a synchronous start, whose dataset isn't known yet.
        """
        end, stop = window.offset + facts.scanned, stop_of(job, job.collection.items_end)
        is_last = facts.scanned > 0 and (facts.total or 0) <= end and (stop is None or end < stop)
        if not is_last or job.state is not State.COLLECTING:
            return False
        keeps_count = job.document.collect.keeps_count
        try:
            behind = Window(page_no=window.page_no, offset=end, limit=1)
            found = _read_only(reader, behind, keep_alive, keeps_count=keeps_count)
        except (UnreadablePage, platform_errors.PlatformError):
            return False
        # an empty response that lacks the headers that the page's own had says nothing
        return found.scanned == 0 and (found.total is not None or facts.total is None)

    def _store(
        self, job: Job, page: PageFetch, execution: ExecutionToken, reader: ItemsReader, keep_alive: Callable[[], None]
    ) -> Receipt:
        window, collect, sink_section = page.window, job.document.collect, job.document.sink
        format_ = FORMATS[collect.format]
        page_name = format_.page_name(window.page_no, sink_section.compression, single_file=sink_section.single_file)
        name = attempt_folder(job.attempt) + page_name
        sink = open_sink(job.sink_url)
        look, text = row_look(job.document), format_.reads(collect.query())
        counter = RowCounter(look) if look else None
        with sink.staging(name, execution) as file:
            facts = download_window(
                reader.open,
                window,
                file,
                text=WatchedText(text, counter) if counter else text,
                expected=page.expected,
                compress=format_.page_is_gzipped(sink_section.compression),
                keeps_count=collect.keeps_count,
                keep_alive=keep_alive,
                count_items=reader.count,
            )
            keep_alive()  # a reading that was cut may look like a whole one
            # a table without columns is no file, but a page of csv, whose rows may get columns from other pages
            is_stored = facts.scanned > 0 and (format_.is_cut or reader.has_columns)
            if is_stored:
                facts = _publish(job, sink, file, name, facts)
        ends = format_.is_cut and self._ends(job, window, facts, reader, keep_alive)
        if counter and look and look.key:
            sample = KeySample.of(counter.keys, end=window.offset + max(facts.scanned, facts.items))
            self.ledger.pages.keep_keys(job.key, job.attempt, window.page_no, sample)
        return Receipt(
            **window.model_dump(),
            scanned=facts.scanned,
            items=facts.items if is_stored else 0,
            bytes=facts.bytes if is_stored else 0,
            sha256=facts.sha256,
            part=name if is_stored else None,
            total=facts.total,
            ends=ends,
            seen=counter.counts() if counter else None,
        )


def _read_only(reader: ItemsReader, window: Window, keep_alive: Callable[[], None], *, keeps_count: bool) -> PartFacts:
    """Read a window as JSON lines, and store nothing of it."""
    facts = download_window(
        reader.open_lines,
        window,
        io.BytesIO(),
        text=JsonLines(),
        expected=0,
        compress=False,
        keeps_count=keeps_count,
        keep_alive=keep_alive,
    )
    keep_alive()  # a reading that was cut may look like a whole one
    return facts


def _publish(job: Job, sink: Sink, file: BinaryIO, name: str, facts: PartFacts) -> PartFacts:
    """Give the page its name, unless the same rows have it already; return the facts of what has it then."""
    if sink.publish(file, name):
        return facts
    format_, compression = FORMATS[job.document.collect.format], job.document.sink.compression
    text = format_.read_stored(job.document.collect.query())
    if there := _find_same(sink, name, facts, text, gzip=format_.page_is_gzipped(compression)):
        return there
    sink.publish_instead(file, name, superseded_folder(job.retries) + name)
    return facts


def _find_same(sink: Sink, name: str, ours: PartFacts, text: PageText, *, gzip: bool) -> PartFacts | None:
    """Return the facts of the existing part if it holds the same rows: another execution published first, perhaps one
    that died before its receipt.

    None: it belongs to an earlier job with the same key, already purged from the ledger. A text of which two downloads
    may differ, such as a zip file with its times, counts as the same.
    """
    try:
        with sink.open(name) as file:
            theirs = inspect_part(file, text=text, compressed=gzip)
    except UnreadablePage:
        return None
    if text.counts_exactly and theirs.text_crc != ours.text_crc:
        return None
    return PartFacts(ours.items, ours.scanned, theirs.bytes, theirs.sha256, ours.text_crc, ours.total)


def _is_stored(known: Window | Receipt | None) -> TypeGuard[Receipt]:
    """Return whether the page is stored; one that scanned nothing proves no end for ever, so it may be read again."""
    return isinstance(known, Receipt) and known.is_good and known.scanned > 0


def _unwanted(window: Window) -> Receipt:
    return bad_receipt(window, Code.CANCELLED, "the job no longer needs this page")


def _may_pass(error: Exception) -> bool:
    """Return whether to ask for the page again at once. What the platform refuses or doesn't find is left to the next
    wave, some time later.
    """
    return isinstance(error, platform_errors.PlatformUnavailable) or not isinstance(
        error, platform_errors.PlatformError
    )


def _words_of(error: Exception) -> str:
    """Return what may be shown of an error; the text of an unforeseen one may hold an item."""
    is_ours = isinstance(error, UnreadablePage | SinkError | platform_errors.PlatformError)
    return str(error) if is_ours else f"an internal error of Actorline, {type(error).__name__}"


def _cause_of(error: Exception) -> str:
    """Return the error's cause in a few words, for a line on the screen."""
    return error.why if isinstance(error, SinkError) else _words_of(error)

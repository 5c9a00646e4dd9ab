import gzip
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from pydantic import SecretStr
from tiny_server import reply, tiny_server

from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.page_plan import Window
from actorline.delivery.part import PartFacts
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import SinkError
from actorline.errors import Code
from actorline.jobs.states import State
from actorline.platform import datasets
from actorline.platform.client import Platform
from actorline.platform.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    PlatformError,
    PlatformUnavailable,
    RateLimited,
)
from actorline.settings import Settings
from actorline.shutdown import GivenBack
from actorline.stages.collect import fetch_page, fetch_pages
from actorline.stages.collect.fetch_page import PAGE_TRIES, PageFetch, PageFetcher, PageHeld

WINDOW = Window(page_no=1, offset=10, limit=10)
HUSH = "pA55-w0rd"


class Lease:
    def __init__(self, *, is_lost: bool) -> None:
        self.is_lost = is_lost

    def acquire(self) -> bool:
        return True

    def owned(self) -> bool:
        return not self.is_lost

    def release(self) -> None:
        pass


class LedgerOfOnePage:
    """A page that isn't stored yet. `due`: what each renewal planned."""

    def __init__(self, job: Any, **fields: Any) -> None:
        self.job, self.redis, self.due = job, self, []
        self.failed: list[tuple[int, str]] = []
        self.lease_is_lost = False
        self.pages = self.agenda = self
        self.fields = {"stop_wish": None, "state": "COLLECTING", **fields}

    def load_with_page(self, *_: Any) -> tuple[Any, Window]:
        return self.job, WINDOW

    def lease(self, *_: Any, seconds: float) -> Lease:  # noqa: ARG002
        return Lease(is_lost=self.lease_is_lost)

    def record(self, _key: str, _attempt: int, receipt: Receipt, *, due_in_s: float) -> Receipt:  # noqa: ARG002
        return receipt

    def note_failed(self, _key: str, _attempt: int, page_no: int, why: str) -> None:
        self.failed.append((page_no, why))

    def name(self, *parts: str) -> str:
        return ":".join(parts)

    def stop_wish_and_state(self, _key: str) -> tuple[Any, Any]:
        return self.fields["stop_wish"], self.fields["state"]

    def postpone(self, _key: str, seconds: float) -> None:
        self.due.append(seconds)


@pytest.fixture
def fetcher(make_job):
    job = make_job(state=State.COLLECTING, dataset_id="d")
    return PageFetcher(cast("Any", LedgerOfOnePage(job)), cast("Any", None), Settings())


def fetch(fetcher: PageFetcher, monkeypatch: pytest.MonkeyPatch, error: Exception, tries: int) -> Any:
    def read(*_: Any) -> Receipt:
        raise error

    monkeypatch.setattr(PageFetcher, "_read", read)
    return fetcher.fetch("k", PageFetch(1, WINDOW, 10, tries), "x")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnreadablePage("cut"), Code.PAGE_UNREADABLE),
        (PlatformUnavailable("503"), Code.PAGE_UNREADABLE),
        (SinkError("full"), Code.SINK_FAILED),
        (RecursionError(HUSH), Code.INTERNAL),
        (MemoryError(HUSH), Code.INTERNAL),
        (KeyError(HUSH), Code.INTERNAL),
    ],
)
def test_a_page_has_a_receipt_whatever_breaks(fetcher, monkeypatch, error, code):
    first = fetch(fetcher, monkeypatch, error, 0)
    assert isinstance(first, UnreadablePage)
    last = fetch(fetcher, monkeypatch, error, PAGE_TRIES - 1)
    assert (last.code, last.is_good, last.page_no) == (code, False, 1)
    assert [page_no for page_no, _ in cast("Any", fetcher.ledger).failed] == [1, 1]
    assert HUSH not in f"{first} {last.error}"


@pytest.mark.parametrize(
    ("tries", "behind", "state", "expected"),
    [
        (0, None, State.COLLECTING, 10),
        (PAGE_TRIES - 2, None, State.COLLECTING, 10),
        (PAGE_TRIES - 1, None, State.COLLECTING, 0),
        (PAGE_TRIES - 1, WINDOW, State.COLLECTING, 10),  # rows would be missing between them
        (PAGE_TRIES - 1, None, State.RUNNING, 10),  # the next window may be planned meanwhile
    ],
)
def test_last_page_is_kept_as_it_is_if_its_rows_never_come(make_job, monkeypatch, tries, behind, state, expected):
    class Ledger(LedgerOfOnePage):
        def load_with_page(self, _key: str, _attempt: int, page_no: int) -> Any:
            return self.job, WINDOW if page_no == WINDOW.page_no else behind

    def read(_fetcher: Any, _job: Any, page: PageFetch, *_: Any) -> Receipt:
        asked.append(page.expected)
        return Receipt(**page.window.model_dump(), scanned=3, items=3)

    asked: list[int] = []
    monkeypatch.setattr(PageFetcher, "_read", read)
    ledger = cast("Any", Ledger(make_job(state=state, dataset_id="d")))
    PageFetcher(ledger, cast("Any", None), Settings()).fetch("k", PageFetch(1, WINDOW, 10, tries), "x")
    assert asked == [expected]


@pytest.mark.parametrize(
    ("state", "due"), [(State.COLLECTING, [45 + Settings().lost_message_secs]), (State.RUNNING, [])]
)
def test_page_that_waits_as_asked_is_not_taken_for_lost(make_job, monkeypatch, state, due):
    ledger = LedgerOfOnePage(make_job(state=state, dataset_id="d"))
    fetcher = PageFetcher(cast("Any", ledger), cast("Any", None), Settings())
    fetch(fetcher, monkeypatch, RateLimited("429", retry_after_s=45), 0)
    assert ledger.due == due
    fetch(fetcher, monkeypatch, PlatformUnavailable("503"), 0)
    assert ledger.due == due


def test_page_is_held_until_its_receipt_is_there(make_job, monkeypatch):
    """Whoever comes in between would read it again."""

    class Ledger(LedgerOfOnePage):
        known: Any = WINDOW
        is_held = False

        def load_with_page(self, *_: Any) -> tuple[Any, Any]:
            return self.job, self.known

        def lease(self, *_: Any, seconds: float) -> Any:  # noqa: ARG002
            return self

        def acquire(self) -> bool:
            was_held, self.is_held = self.is_held, True
            return not was_held

        def release(self) -> None:
            self.is_held = False

        def record(self, _key: str, _attempt: int, receipt: Receipt, *, due_in_s: float) -> Receipt:  # noqa: ARG002
            others.append(fetch())
            self.known = receipt
            others.append(fetch())
            return receipt

    def read(_fetcher: Any, _job: Any, page: PageFetch, *_: Any) -> Receipt:
        reads.append(page.window)
        return Receipt(**page.window.model_dump(), scanned=3, items=3)

    def fetch() -> Any:
        return fetcher.fetch("k", PageFetch(1, WINDOW, 10, 0), "x")

    reads: list[Window] = []
    others: list[Any] = []
    monkeypatch.setattr(PageFetcher, "_read", read)
    ledger = cast("Any", Ledger(make_job(state=State.COLLECTING, dataset_id="d")))
    fetcher = PageFetcher(ledger, cast("Any", None), Settings())
    receipt = fetch()
    assert (others, fetch(), ledger.is_held) == ([PageHeld(), receipt], receipt, False)
    assert reads == [WINDOW]


def test_an_execution_that_lost_the_page_reports_nothing(fetcher, monkeypatch):
    fetcher.ledger.lease_is_lost = True
    outcome = fetch(fetcher, monkeypatch, SinkError("its staged file is gone"), tries=PAGE_TRIES)
    assert (outcome, fetcher.ledger.failed) == (PageHeld(), [])


@pytest.mark.parametrize("error", [redis.ConnectionError(), GivenBack()])
def test_a_page_that_can_have_no_receipt_now_is_given_back(fetcher, monkeypatch, error):
    with pytest.raises(type(error)):
        fetch(fetcher, monkeypatch, error, PAGE_TRIES - 1)


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (NotFound("404"), Code.DATASET_VANISHED),
        (PlatformError("403"), None),
        (object(), Code.PAGE_UNREADABLE),
    ],
)
def test_a_page_that_is_not_found_says_nothing_of_its_dataset(fetcher, monkeypatch, response, code):
    def get_dataset(*_: Any) -> Any:
        if isinstance(response, Exception):
            raise response
        return response

    monkeypatch.setattr(fetch_pages, "get_dataset", get_dataset)
    assert fetch(fetcher, monkeypatch, NotFound("404"), 0).code == (code or Code.PAGE_UNREADABLE)


@pytest.mark.parametrize(
    ("error", "code", "refused_twice"),
    [
        (InvalidRequest("no view", status=400, type="no-view"), Code.DOCUMENT_INVALID, True),
        (InvalidRequest("no view", status=422, type="no-view"), Code.DOCUMENT_INVALID, True),
        (InvalidRequest("no type", status=400), Code.PAGE_UNREADABLE, False),  # not the API's own
        (InvalidRequest("no call", status=501, type="no-view"), Code.PAGE_UNREADABLE, False),
        (Forbidden("locked", status=402, type="no-view"), Code.PAGE_UNREADABLE, False),
    ],
)
def test_refusal_of_a_request_is_confirmed_by_a_second_one(fetcher, monkeypatch, error, code, refused_twice):
    first = fetch(fetcher, monkeypatch, error, 0)
    assert (first.code, first.platform_type, first.refused_twice) == (code, error.type, False)
    monkeypatch.setattr(LedgerOfOnePage, "load_with_page", lambda ledger, *_: (ledger.job, first))
    assert fetch(fetcher, monkeypatch, error, 0).refused_twice is refused_twice


@pytest.mark.parametrize(("state", "renewals"), [("COLLECTING", 1), ("RUNNING", 0)])
def test_a_page_on_its_way_is_not_taken_for_lost(make_job, state, renewals):
    """While the run lives, `due` is that of its next poll."""

    class Held:
        def reacquire(self) -> None:
            pass

    ledger = LedgerOfOnePage(make_job(state=State.COLLECTING), state=state)
    PageFetcher(cast("Any", ledger), cast("Any", None), Settings())._hold_on(cast("Any", Held()), "k")
    assert len(ledger.agenda.due) == renewals


class ItemsBehind:
    """The platform's responses to what is read behind a page. `behind`: how many items lie there, or what is raised."""

    def __init__(self, behind: Any, total: int | None = 20) -> None:
        self.behind, self.total, self.asked = behind, total, []

    def open_lines(self, offset: int, limit: int) -> Any:
        self.asked.append((offset, limit))
        if isinstance(self.behind, Exception):
            raise self.behind
        rows = b'{"a":1}\n' * self.behind
        return SimpleNamespace(
            scanned=self.behind,
            total=self.total,
            is_gzip=False,
            is_framed=True,
            lacks_columns=False,
            content_type="application/x-ndjson",
            blocks=lambda _: iter([rows]),
            close=lambda: None,
        )


@pytest.mark.parametrize(
    ("collect", "state", "facts", "behind", "asks", "ends"),
    [
        ({}, State.COLLECTING, {"scanned": 10, "total": 20}, 0, True, True),
        ({}, State.COLLECTING, {"scanned": 10, "total": 0}, 0, True, True),  # the counter lags: settled later
        ({}, State.COLLECTING, {"scanned": 4, "total": None}, 0, True, True),
        ({}, State.COLLECTING, {"scanned": 10, "total": 20}, 1, True, False),
        ({}, State.COLLECTING, {"scanned": 10, "total": 20}, PlatformUnavailable("503"), True, False),
        ({}, State.COLLECTING, {"scanned": 10, "total": 20}, UnreadablePage("cut"), True, False),
        ({}, State.COLLECTING, {"scanned": 10, "total": 21}, 0, False, False),  # not the last page
        ({}, State.COLLECTING, {"scanned": 0, "total": 10}, 0, False, False),  # an empty page is the proof itself
        ({}, State.RUNNING, {"scanned": 10, "total": 20}, 0, False, False),  # it still grows
        ({"limit": 20}, State.COLLECTING, {"scanned": 10, "total": 20}, 0, False, False),  # all that was ordered
        ({"limit": 21}, State.COLLECTING, {"scanned": 10, "total": 20}, 0, True, True),
    ],
)
def test_the_last_page_proves_the_end_of_its_dataset(make_job, collect, state, facts, behind, asks, ends):
    job = make_job(state=state, dataset_id="d", order={"actor": "demo/a", "collect": collect})
    behind_page = ItemsBehind(behind)
    fetcher = PageFetcher(cast("Any", LedgerOfOnePage(job)), cast("Any", None), Settings())
    page_ends = fetcher._ends(job, WINDOW, PartFacts(**facts), cast("Any", behind_page), lambda: None)
    assert (behind_page.asked, page_ends) == ([(10 + facts["scanned"], 1)] if asks else [], ends)


@pytest.mark.parametrize(("total", "behind_total", "ends"), [(20, 20, True), (20, None, False), (None, None, True)])
def test_an_empty_response_without_headers_proves_no_end(make_job, total, behind_total, ends):
    job = make_job(state=State.COLLECTING, dataset_id="d")
    fetcher = PageFetcher(cast("Any", LedgerOfOnePage(job)), cast("Any", None), Settings())
    page, behind = PartFacts(scanned=10, total=total), cast("Any", ItemsBehind(0, behind_total))
    assert fetcher._ends(job, WINDOW, page, behind, lambda: None) is ends


@pytest.mark.parametrize(
    ("format_", "silences_s"), [("jsonl", [30, 60, 120, 240, 360, 360]), ("xml", [360, 360, 360, 360, 360, 360])]
)
def test_platform_may_be_silent_for_longer_with_each_try(make_job, monkeypatch, format_, silences_s):
    def open_items(*_: Any, silence_s: float, **__: Any) -> Any:
        asked.append(silence_s)
        raise PlatformUnavailable("silent")

    asked: list[float] = []
    monkeypatch.setattr(datasets, "open_items", open_items)
    job = make_job(
        state=State.COLLECTING,
        dataset_id="d",
        sink="file:///nowhere/x",
        order={"actor": "demo/a", "collect": {"format": format_}},
    )
    monkeypatch.setattr(fetch_page, "open_sink", lambda _: SimpleNamespace(staging=lambda *_: nullcontext()))
    platform = Platform("https://api.example.test", SecretStr("apify_api_hush"))
    fetcher = PageFetcher(cast("Any", LedgerOfOnePage(job)), platform, Settings())
    for tries in range(PAGE_TRIES):
        window = Window(page_no=0, offset=0, limit=10)
        fetcher.fetch("k", PageFetch(1, window, 10, tries), "x")
    assert asked == silences_s


NO_COLUMNS = reply(400, {"error": {"type": "no-columns-in-exported-dataset", "message": "It has no columns"}})


def page_of(rows: list[str], media_type: str, scanned: int, total: int) -> Any:
    """A response with these lines."""
    counts = {"X-Apify-Pagination-Count": str(scanned), "X-Apify-Pagination-Total": str(total)}
    return reply(200, "".join(f"{row}\n" for row in rows).encode(), **{"Content-Type": media_type}, **counts)


@pytest.fixture
def read_table(make_job, tmp_path):
    """Return a function that reads the first page of a table from a platform that makes none without columns. `lines`:
    its rows as JSON lines; `scanned`: how many items they come of; `table`: the responses before there is none.
    """

    def read(format_: str, lines: list[str], scanned: int, *table: Any, total: int | None = None) -> Any:
        coming, total = iter(table), scanned if total is None else total

        def respond(request: Any) -> Any:
            query = parse_qs(urlsplit(request.path).query)
            if request.method == "HEAD":
                return page_of([], "application/jsonl", scanned, total)
            if query["format"] != ["jsonl"]:
                return next(coming, NO_COLUMNS)
            assert "bom" not in query
            return page_of(lines, "application/jsonl", scanned, total) if query["offset"] == ["0"] else end

        end = page_of([], "application/jsonl", 0, total)
        order = {"actor": "demo/a", "collect": {"format": format_, "clean": True}}
        job = make_job(state=State.COLLECTING, dataset_id="d", sink=tmp_path.as_uri(), order=order)
        with tiny_server(respond) as server:
            platform = Platform(server.url, SecretStr("apify_api_hush"))
            fetcher = PageFetcher(cast("Any", LedgerOfOnePage(job)), platform, Settings())
            window = Window(page_no=0, offset=0, limit=1000)
            receipt = fetcher.fetch("k", PageFetch(1, window, 0, PAGE_TRIES - 1), "x")
            platform.close()
        stored = sorted(path for path in tmp_path.rglob("*") if path.is_file())
        return receipt, [gzip.decompress(path.read_bytes()) for path in stored]

    return read


@pytest.mark.parametrize("format_", ["csv", "html", "xlsx"])
def test_table_of_an_empty_dataset_is_its_end(read_table, format_):
    receipt, stored = read_table(format_, [], 0)
    assert (receipt.is_good, receipt.scanned, receipt.total, receipt.part, stored) == (True, 0, 0, None, [])


@pytest.mark.parametrize(("format_", "stored"), [("csv", [b"\n"]), ("html", []), ("xlsx", [])])
def test_table_whose_rows_are_all_dropped_is_no_end(read_table, format_, stored):
    receipt, found = read_table(format_, [], 7)
    assert (receipt.is_good, receipt.scanned, receipt.items, found) == (True, 7, 0, stored)
    assert (receipt.part is not None, receipt.ends) == (bool(stored), format_ == "csv")


def test_items_without_fields_are_rows_of_csv(read_table):
    receipt, stored = read_table("csv", ["{}", "{ }"], 2)
    assert (receipt.is_good, receipt.items, stored) == (True, 2, [b"\n\n\n"])


def test_rows_that_came_after_the_table_was_refused_are_not_lost(read_table):
    receipt, stored = read_table("csv", ["{}", '{"a":1}'], 2)
    assert (receipt.code, stored) == (Code.PAGE_UNREADABLE, [])
    assert "sends rows that have fields" in receipt.error


@pytest.mark.parametrize(
    ("format_", "text"), [("csv", ["a", "1"]), ("html", ["<table><tr><th>a</th></tr><tr><td>1</td></tr></table>"])]
)
def test_rest_of_a_table_without_rows_costs_none_of_its_rows(read_table, format_, text):
    """The platform counts one item more than it has."""
    receipt, stored = read_table(format_, [], 1, page_of(text, f"text/{format_}", 1, 2), total=2)
    assert (receipt.is_good, receipt.scanned, receipt.items) == (True, 1, 1)
    assert stored == ["".join(f"{line}\n" for line in text).encode()]

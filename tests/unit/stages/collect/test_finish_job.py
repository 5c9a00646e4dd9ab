from typing import Any, cast
from unittest.mock import Mock

import pytest

from actorline.delivery.page_plan import Pages, Window
from actorline.delivery.receipt import Receipt
from actorline.errors import Code, Reason
from actorline.identifiers import ExecutionToken
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.step import Ended, LastStep, Stop
from actorline.ledger.change import Change
from actorline.platform.errors import Forbidden, NotFound, PlatformUnavailable
from actorline.settings import Settings
from actorline.stages.collect import finish_job, run_again
from actorline.stages.collect.fetch_pages import load_collecting
from actorline.stages.collect.finish_job import WAVE_TRIES, Finisher, NextWave, needs_final_cost, secs_to_final_cost

BROKEN = {"rule": "required", "figure": 1, "limit": 0, "rows": 9, "message": "price is missing"}


class LedgerOfOneJob:
    """A job that collects. `changed`: the fields of each change."""

    def __init__(self, job: Job, now: float, pages: Pages | None = None) -> None:
        self.job, self._now, self._stored = job, now, pages or {}
        self.pages = self
        self.cared_for_after: float | None = None
        self.changed: list[Any] = []

    def load_with_pages(self, *_: Any) -> tuple[Job, Pages]:
        return self.job, self._stored

    def now(self) -> float:
        return self._now

    def change(self, _key: str, change: Change, *, epoch: int, **_: Any) -> int | None:
        if epoch != self.job.epoch:
            return None
        self.cared_for_after = cast("float", change.due_in_s)
        self.changed.append(change.fields)
        self.job = self.job.model_copy(update={"epoch": self.job.epoch + change.next_epoch})
        return self.job.epoch


class FinisherThatTells(Finisher):
    """Ends a job without a sink; `failures`: why not everything was delivered."""

    failures: list[Reason | None]

    def _deliver(self, job: Job, pages: Pages, failure: Reason | None, execution: str) -> LastStep:  # noqa: ARG002
        FinisherThatTells.failures = [failure]
        return Ended()


def finisher(ledger: LedgerOfOneJob) -> Finisher:
    return FinisherThatTells(cast("Any", ledger), cast("Any", None), Settings(dataset_lag_secs=10), "here")


def advance(ledger: LedgerOfOneJob) -> LastStep | NextWave:
    collecting = load_collecting(cast("Any", ledger), "k", 1)
    return finisher(ledger).advance(*collecting, "x") if collecting else Stop()


def receipt(page_no: int, scanned: int = 10, limit: int = 10, **more: Any) -> Receipt:
    total = more.pop("total", 20)
    return Receipt(
        page_no=page_no, offset=10 * page_no, limit=limit, scanned=scanned, items=scanned, total=total, **more
    )


@pytest.fixture
def collecting(make_job):
    """A job that collects, and its ledger, as time goes by."""

    def make(stored: Pages | None = None, *, now: float = 1003.0, order: Any = None, **fields: Any) -> LedgerOfOneJob:
        given = {"state": State.COLLECTING, "collecting_at": 1000.0, "dataset_id": "d", **fields}
        return LedgerOfOneJob(make_job(order={"actor": "apify/x"} if order is None else order, **given), now, stored)

    return make


@pytest.mark.parametrize("format_", ["xml", "xlsx"])
def test_one_file_of_all_rows_is_waited_for_not_polled(collecting, format_):
    ledger = collecting(order={"actor": "apify/x", "collect": {"format": format_}})
    assert advance(ledger) == NextWave(2, 7.0)
    assert ledger.cared_for_after is not None
    assert ledger.cared_for_after > 7.0, "upkeep sends it again while it waits"


def test_a_finish_that_comes_twice_plans_one_next_wave(collecting):
    ledger = collecting({0: receipt(0)})
    assert [advance(ledger) for _ in range(2)] == [NextWave(2, 0), Stop()]


def test_of_two_finishes_at_once_one_plans_the_next_wave(collecting):
    ledger = collecting({0: receipt(0)})
    both = [ledger.load_with_pages() for _ in range(2)]
    assert [finisher(ledger).advance(*each, "x") for each in both] == [NextWave(2, 0), Stop()]


VANISHED = {"scanned": 0, "code": Code.DATASET_VANISHED, "error": "404"}


@pytest.mark.parametrize("code", [Code.DATASET_VANISHED, Code.PAGE_UNREADABLE, Code.INTERNAL])
def test_a_page_that_is_not_there_is_believed_after_some_waves(collecting, code):
    pages = {0: receipt(0), 1: receipt(1, **{**VANISHED, "code": code})}
    waits = []
    for failures in range(WAVE_TRIES - 1):
        step = advance(collecting(pages, failures=failures, pages=1, pages_before=1))
        assert isinstance(step, NextWave)
        waits.append(step.seconds)
    assert sum(waits) > 40
    ledger = collecting(pages, failures=WAVE_TRIES - 1, pages=1, pages_before=1)
    assert advance(ledger) == Ended()
    (failure,) = FinisherThatTells.failures
    assert failure
    assert failure.code is code


REFUSED = {**VANISHED, "code": Code.DOCUMENT_INVALID, "platform_type": "requested-dataset-view-does-not-exist"}


@pytest.mark.parametrize(
    ("pages", "ends"),
    [
        ({0: receipt(0, **REFUSED)}, False),
        ({0: receipt(0, **REFUSED, refused_twice=True)}, True),
        ({0: receipt(0), 1: receipt(1, **REFUSED, refused_twice=True)}, True),
        ({0: receipt(0, **VANISHED), 1: receipt(1, **REFUSED, refused_twice=True)}, False),  # the first may come
        ({0: Window(page_no=0, offset=0, limit=10), 1: receipt(1, **REFUSED)}, False),
    ],
)
def test_pages_that_are_refused_twice_end_the_waves(collecting, pages, ends):
    order = {"actor": "x", "collect": {"view": "best"}}
    step = advance(collecting(pages, order=order, pages=1, pages_before=1))
    assert isinstance(step, Ended) is ends
    if ends:
        (failure,) = FinisherThatTells.failures
        assert failure
        assert (failure.code, failure.platform_type) == (Code.DOCUMENT_INVALID, REFUSED["platform_type"])
        assert "`collect.view` 'best' isn't a view of this dataset" in failure.message
        assert "order dataset_id d with another view" in failure.message


def test_one_bad_page_does_not_end_the_waves_that_bring_others(collecting):
    pages = {0: receipt(0), 1: receipt(1, **VANISHED)}
    ledger = collecting(pages, failures=WAVE_TRIES - 1, pages=1, pages_before=0)
    assert isinstance(advance(ledger), NextWave)
    assert ledger.changed[-1]["failures"] == 0


@pytest.mark.parametrize(
    ("failures", "says", "is_complete"),
    [
        (WAVE_TRIES - 1, 20, True),
        (WAVE_TRIES - 1, 12, True),  # it lags
        (WAVE_TRIES - 1, 25, False),
        (WAVE_TRIES - 1, None, False),
        (WAVE_TRIES - 2, 20, None),  # one that lags, on another replica, says the same
    ],
)
def test_a_counter_that_came_down_to_the_rows_is_believed_late(collecting, failures, says, is_complete):
    pages = {0: receipt(0, total=25), 1: receipt(1, total=25), 2: receipt(2, 0, total=says)}
    step = advance(collecting(pages, failures=failures, pages=2, pages_before=2, planned_at=1050.0, now=1050.0))
    if is_complete is None:
        assert isinstance(step, NextWave)
        return
    assert step == Ended()
    assert (FinisherThatTells.failures == [None]) is is_complete


@pytest.mark.parametrize(("says", "step"), [(20, Ended()), (None, NextWave(2, 2.0))])
def test_an_empty_end_that_names_no_total_is_read_again(collecting, says, step):
    """All other pages do, and a lagging counter has the same number as there are rows."""
    pages = {0: receipt(0), 1: receipt(1), 2: receipt(2, 0, total=says)}
    assert advance(collecting(pages)) == step


GROWING = {"dataset_id": "d"}


@pytest.mark.parametrize(
    ("last", "items_end", "seconds"),
    [
        (receipt(1, 3, total=13), None, 0),  # the first short page may be the end
        (receipt(1, 10), None, 0),  # a full page: more is likely behind it
        (receipt(2, 3), None, 7.0),  # the second short one: rows come while we read
        (receipt(2, 3), 24, 7.0),  # not all that there was
        (receipt(2, 3), 23, None),
        (receipt(2, 3), 5, None),
        (receipt(2, 10, total=30), 5, 0),  # the counter was behind the rows, which go on
    ],
)
def test_a_growing_dataset_is_delivered_as_it_was_at_first(collecting, last, items_end, seconds):
    before = {0: receipt(0), 1: receipt(1, 10, limit=11)} if last.page_no == 2 else {0: receipt(0)}
    ledger = collecting({**before, last.page_no: last}, order=GROWING, items_end=items_end)
    expected = Ended() if seconds is None else NextWave(2, seconds)
    assert advance(ledger) == expected


def test_rows_from_the_end_are_read_after_counters_settle(collecting):
    ledger = collecting(order={**GROWING, "collect": {"desc": True}})
    assert advance(ledger) == NextWave(2, 7.0)


@pytest.mark.parametrize(("total", "code"), [(20, None), (21, Code.DATASET_GREW)])
def test_rows_from_the_end_are_complete_only_if_none_came(collecting, monkeypatch, total, code):
    class Counters:
        item_count = total

    monkeypatch.setattr("actorline.stages.collect.finish_job.get_dataset", lambda *_: Counters())
    pages = {0: receipt(0), 1: receipt(1)}
    order = {**GROWING, "collect": {"desc": True}}
    early = collecting(pages, order=order, items_end=20, stored_at=1000.0)
    assert advance(early) == NextWave(2, 7.0)
    late = collecting(pages, order=order, items_end=20, stored_at=1000.0, now=1010.0)
    assert advance(late) == Ended()
    (failure,) = FinisherThatTells.failures
    assert (failure and failure.code) == code


@pytest.mark.parametrize("order", [{**GROWING, "collect": {"desc": True}}, {**GROWING, "collect": {"format": "xml"}}])
def test_an_empty_dataset_has_an_end(collecting, monkeypatch, order):
    class Counters:
        item_count = 0

    monkeypatch.setattr("actorline.stages.collect.finish_job.get_dataset", lambda *_: Counters())
    assert advance(collecting(order=order, items_end=0, now=1020.0)) == Ended()


def test_windows_that_were_not_asked_for_yet_are_no_end(collecting):
    ledger = collecting({0: Window(page_no=0, offset=0, limit=10)})
    assert advance(ledger) == NextWave(2, 2.0)


@pytest.mark.parametrize(
    ("guard", "fields", "needs"),
    [
        ({"max_usd_per_1000": 5}, {"run_id": "r"}, True),
        ({"max_usd_per_1000": 5}, {"run_id": "r", "broken": BROKEN}, False),
        ({"min_items": 5}, {"run_id": "r"}, False),
        (None, {"run_id": "r"}, False),
    ],
)
def test_a_price_that_is_kept_is_judged_by_the_final_cost(make_job, guard, fields, needs):
    job = make_job(order={"actor": "x", **({"guard": guard} if guard else {})}, collecting_at=1000.0, **fields)
    assert needs_final_cost(job) is needs
    assert [secs_to_final_cost(job, now) for now in (1000.0, 1004.0, 1010.0, 2000.0)] == [10, 6, 0, 0]


@pytest.fixture
def priced(collecting, monkeypatch):
    """Finishes a job whose price is judged, and whose run can't be read, by an error."""
    monkeypatch.setattr(finish_job.RowsJudge, "judge_all", lambda _, job, __: job)
    monkeypatch.setattr(finish_job.Deliverer, "deliver", lambda *_: Ended())
    ledger = collecting(order={"actor": "x", "guard": {"max_usd_per_1000": 5}}, run_id="r", cost_usd=0.1, now=2000.0)

    def finish(error: Exception) -> LastStep | NextWave:
        monkeypatch.setattr(run_again, "get_run", Mock(side_effect=error))
        finisher = Finisher(cast("Any", ledger), cast("Any", None), Settings(), "here")
        return finisher.advance(ledger.job, {0: receipt(0, total=10, ends=True)}, ExecutionToken("x"))

    return finish


@pytest.mark.parametrize("error", [NotFound, Forbidden])
def test_rows_that_have_a_price_outlive_their_run(priced, error):
    assert priced(error("no such run", status=404)) == Ended()


def test_final_cost_is_waited_for_while_the_platform_is_silent(priced):
    with pytest.raises(PlatformUnavailable):
        priced(PlatformUnavailable("silence"))

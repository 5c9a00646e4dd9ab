from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorline.delivery.page_plan import (
    PAGE_BYTES,
    PAGE_ITEMS_MAX,
    PAGE_ITEMS_MIN,
    WAVE_PAGES,
    Gap,
    More,
    Pages,
    Proof,
    Window,
    expected_items,
    full_windows,
    item_bytes,
    judge,
    known_end,
    new_windows,
    next_offset,
    not_failed,
    page_size,
    stored_in_a_row,
    to_fetch,
    wave_pages,
)
from actorline.delivery.receipt import Receipt
from actorline.errors import Code


def stored(page_no: int, offset: int, limit: int, scanned: int) -> Receipt:
    return Receipt(page_no=page_no, offset=offset, limit=limit, scanned=scanned, items=scanned)


def bad(page_no: int, offset: int, limit: int) -> Receipt:
    code = Code.PAGE_UNREADABLE
    return Receipt(page_no=page_no, offset=offset, limit=limit, scanned=0, items=0, error="cut", code=code)


def window(page_no: int, offset: int, limit: int) -> Window:
    return Window(page_no=page_no, offset=offset, limit=limit)


def by_number(*pages: Window | Receipt) -> Pages:
    return {page.page_no: page for page in pages}


@pytest.mark.parametrize(
    ("total", "each", "asked", "size"),
    [
        (5_120_000, 1_000.0, None, 16_000),  # by bytes
        (1_000_000, 304.0, None, 62_500),  # 19 full pages: sixteen that are a little larger
        (1_600_000, 304.0, None, 50_000),  # 31: twice sixteen
        (5_120_000, None, None, PAGE_ITEMS_MIN),  # nothing known of the bytes: few, which tell it
        (50_000, 100.0, None, 3_125),  # small: shared by sixteen
        (500, 100.0, None, PAGE_ITEMS_MIN),
        (0, None, None, PAGE_ITEMS_MIN),
        (10, 3.0 * PAGE_BYTES, None, 1),  # one item is larger than a page
        (16 * PAGE_ITEMS_MAX, 1.0, None, PAGE_ITEMS_MAX),  # tiny items
        (17 * PAGE_ITEMS_MAX, 1.0, None, PAGE_ITEMS_MAX),
        (5_000_000, 1_000.0, 7, 7),
    ],
)
def test_page_size_follows_bytes_and_the_datasets_size(total, each, asked, size):
    assert page_size(total=total, bytes_per_item=each, asked=asked) == size


def test_measured_bytes_per_item_go_before_the_platforms():
    came = [stored(0, 0, 10, 10).model_copy(update={"bytes": 5_000}), stored(1, 10, 10, 0)]
    assert item_bytes(by_number(*came), total=1_000, storage_bytes=1_000_000) == 500
    assert item_bytes(by_number(window(0, 0, 10)), total=1_000, storage_bytes=1_000_000) == 1_000
    assert item_bytes({}, total=1_000, storage_bytes=None) is None


def test_few_pages_are_planned_before_the_item_size_is_known():
    assert wave_pages(None) < wave_pages(500.0) == WAVE_PAGES


@pytest.mark.parametrize(
    ("pages", "total", "stop", "found"),
    [
        (by_number(), 9, None, []),
        (by_number(), 10, None, [window(0, 0, 10)]),
        (by_number(), 29, None, [window(0, 0, 10), window(1, 10, 10)]),
        (by_number(), 29, 15, [window(0, 0, 10)]),
        (by_number(stored(0, 0, 10, 10), window(1, 10, 10)), 35, None, [window(2, 20, 10)]),
    ],
)
def test_of_a_dataset_that_grows_only_full_windows_are_fetched(pages, total, stop, found):
    assert full_windows(pages, start=0, total=total, stop=stop, size=10) == found


@pytest.mark.parametrize(
    ("pages", "offset"),
    [
        (by_number(), 5),
        (by_number(window(0, 5, 10)), 15),
        (by_number(stored(0, 5, 10, 10)), 15),
        (by_number(stored(0, 5, 10, 4)), 9),
        (
            by_number(stored(0, 5, 10, 10), stored(1, 15, 10, 0)),
            25,
        ),  # the empty end is read again: its window is its own
        (by_number(stored(0, 5, 10, 10), bad(1, 15, 10)), 25),
    ],
)
def test_the_next_window_begins_behind_all_planned_ones(pages, offset):
    assert next_offset(pages, 5) == offset


def test_only_what_has_no_rows_is_fetched():
    pages = by_number(
        stored(0, 0, 10, 10), bad(1, 10, 10), window(2, 20, 10), stored(3, 30, 10, 3), stored(4, 33, 10, 0)
    )
    assert to_fetch(pages) == [window(1, 10, 10), window(2, 20, 10), window(4, 33, 10)]
    assert known_end(pages) == 33


def test_a_window_before_another_must_be_full():
    pages = by_number(window(0, 0, 10), window(1, 10, 10))
    assert expected_items(window(0, 0, 10), pages, 4) == 10
    assert expected_items(window(1, 10, 10), pages, 14) == 4
    assert expected_items(window(1, 10, 10), pages, 400) == 10
    assert expected_items(window(1, 10, 10), pages, 4) == 0


@pytest.mark.parametrize(
    ("pages", "stop", "verdict"),
    [
        (by_number(), None, More(0)),
        (by_number(stored(0, 0, 10, 10)), None, More(10)),
        (by_number(stored(0, 0, 10, 10)), 10, Proof(10)),
        (by_number(stored(0, 0, 10, 10)), 20, More(10)),
        (by_number(stored(0, 0, 10, 4), stored(1, 4, 10, 0)), None, Proof(4)),
        (by_number(stored(0, 0, 10, 0)), None, Proof(0)),
        (by_number(stored(0, 0, 10, 10), window(1, 10, 10)), None, Gap([1], "not stored")),
        (by_number(stored(0, 0, 10, 10), bad(1, 10, 10)), None, Gap([1], "not stored")),
        (by_number(stored(0, 0, 10, 4), stored(1, 10, 10, 0)), None, Gap([1], "begins at 10, not at 4")),
        (by_number(stored(0, 0, 10, 10), stored(1, 4, 10, 0)), None, Gap([1], "begins at 4, not at 10")),
        (by_number(stored(0, 3, 10, 10)), None, Gap([0], "begins at 3, not at 0")),
    ],
)
def test_everything_is_here_only_without_gaps_to_an_empty_page(pages, stop, verdict):
    assert judge(pages, start=0, stop=stop) == verdict


@dataclass
class Dataset:
    """Rows 0 .. size-1; each response may be short, each counter may lag, and a page may fail."""

    size: int
    data: st.DataObject
    faults: int
    rows: list[int] = field(default_factory=list)

    def count(self) -> int:
        return self.data.draw(st.integers(0, self.size), "total")

    def fetch(self, asked: Window, expected: int) -> Receipt:
        if self.faults and self.data.draw(st.booleans(), "fails"):
            self.faults -= 1
            return bad(asked.page_no, asked.offset, asked.limit)
        there = max(min(self.size - asked.offset, asked.limit), 0)
        assert expected <= there, "rows were expected that the dataset doesn't have"
        least = max(expected, min(there, 1))
        scanned = self.data.draw(st.integers(least, there), "scanned")
        self.rows += range(asked.offset, asked.offset + scanned)
        return stored(asked.page_no, asked.offset, asked.limit, scanned)


@given(
    data=st.data(),
    total=st.integers(0, 60),
    start=st.integers(0, 70),
    limit=st.none() | st.integers(1, 70),
    size=st.integers(1, 20),
    faults=st.integers(0, 4),
)
def test_any_sequence_of_waves_brings_every_row_once_and_ends(data, total, start, limit, size, faults):
    dataset = Dataset(total, data, faults)
    stop = None if limit is None else start + limit
    pages: dict[int, Window | Receipt] = {}
    wanted = list(range(start, total if stop is None else min(stop, total)))
    for _ in range(2 * (len(wanted) + faults) + 4):  # each wave brings a row, spends a fault, or reads the end
        counted = max(dataset.count(), known_end(pages))
        for new in new_windows(pages, start=start, total=counted, stop=stop, size=size, room=WAVE_PAGES):
            assert new.page_no not in pages
            pages[new.page_no] = new
        waiting = to_fetch(pages)
        if dataset.faults and data.draw(st.booleans(), "wave is lost"):
            dataset.faults -= 1
            waiting = waiting[: data.draw(st.integers(0, len(waiting)), "pages that came")]
        for asked in waiting:
            assert asked.limit >= 1
            assert stop is None or asked.offset + asked.limit <= stop
            pages[asked.page_no] = dataset.fetch(asked, expected_items(asked, pages, counted))
        verdict = judge(pages, start=start, stop=stop)
        if isinstance(verdict, Proof):
            break
        if isinstance(verdict, Gap):
            assert verdict.why == "not stored"
    assert verdict == Proof(start + len(wanted))
    assert sorted(dataset.rows) == wanted


@given(data=st.data(), total=st.integers(0, 60), start=st.integers(0, 70), size=st.integers(1, 20))
def test_a_dataset_read_in_full_is_proven_within_three_waves(data, total, start, size):
    pages: dict[int, Window | Receipt] = {}
    counted = data.draw(st.sampled_from([0, total]), "total")
    waves = 0
    while not isinstance(judge(pages, start=start, stop=None), Proof):
        waves += 1
        assert waves <= (3 if counted == total else total + 3)
        for new in new_windows(pages, start=start, total=counted, stop=None, size=size, room=WAVE_PAGES):
            pages[new.page_no] = new
        for asked in to_fetch(pages):
            there = max(min(total - asked.offset, asked.limit), 0)
            pages[asked.page_no] = stored(asked.page_no, asked.offset, asked.limit, there)


def test_a_wave_has_no_more_windows_than_its_room():
    windows = new_windows({}, start=0, total=1_000_000, stop=None, size=10, room=7)
    assert [each.offset for each in windows] == [0, 10, 20, 30, 40, 50, 60]


def test_nothing_is_planned_behind_the_orders_own_end():
    pages = by_number(stored(0, 0, 10, 10))
    assert new_windows(pages, start=0, total=100, stop=10, size=10, room=5) == []
    assert new_windows(pages, start=0, total=100, stop=13, size=10, room=5) == [window(1, 10, 3)]


def test_windows_that_were_asked_for_in_vain_come_last():
    pages = by_number(stored(0, 0, 10, 10), bad(1, 10, 10), window(2, 20, 10))
    assert not_failed(pages) == [window(2, 20, 10)]
    assert to_fetch(pages) == [window(1, 10, 10), window(2, 20, 10)]


@pytest.mark.parametrize("last", [stored(1, 10, 10, 5), stored(1, 10, 10, 10)])
def test_a_last_page_behind_which_nothing_lies_proves_the_end(last):
    proven = last.model_copy(update={"ends": True})
    assert judge(by_number(stored(0, 0, 10, 10), last), start=0, stop=None) == More(last.offset + last.scanned)
    assert judge(by_number(stored(0, 0, 10, 10), proven), start=0, stop=None) == Proof(last.offset + last.scanned)
    not_last = stored(0, 0, 10, 10).model_copy(update={"ends": True})
    assert judge(by_number(not_last, last), start=0, stop=None) == More(last.offset + last.scanned)


def test_rows_are_numbered_up_to_the_first_page_that_is_missing():
    def stored(no, offset, scanned):
        return Receipt(page_no=no, offset=offset, limit=10, scanned=scanned, items=scanned)

    pages = {0: stored(0, 5, 10), 1: stored(1, 15, 10), 2: Window(page_no=2, offset=25, limit=10), 3: stored(3, 35, 10)}
    assert stored_in_a_row(pages, 5) == [pages[0], pages[1]]
    assert stored_in_a_row(pages, 0) == []
    assert stored_in_a_row({}, 0) == []

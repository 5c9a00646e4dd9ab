"""The pages of a job's rows as bars on the time axis of its life: when each was read, and which were read at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actorline.delivery.page_plan import Window
from actorline.delivery.receipt import Receipt
from actorline.story.waterfall import Axis


@dataclass(frozen=True)
class PageBar:
    """One page, or several that follow each other: `first` to `last`. `lane`: bars of one lane don't overlap."""

    first: int
    last: int
    begin: float
    end: float
    rows: int
    is_good: bool
    left: float
    width: float
    lane: int

    @property
    def seconds(self) -> float:
        return self.end - self.begin


def page_bars(pages: Mapping[int, Window | Receipt], axis: Axis, *, most: int) -> list[PageBar]:
    """Return at most so many bars, by page number; a page whose time isn't known (it is only planned, or an older
    version stored it) has none.
    """
    known = [page for _, page in sorted(pages.items()) if isinstance(page, Receipt) and page.stored_at is not None]
    each = -(-len(known) // most) or 1
    free: list[float] = []  # when each lane is free again
    return [_bar(known[place : place + each], axis, free) for place in range(0, len(known), each)]


def _bar(pages: Sequence[Receipt], axis: Axis, free: list[float]) -> PageBar:
    end = max(page.stored_at or 0 for page in pages)
    begin = min((page.stored_at or 0) - page.seconds for page in pages)
    lane = next((number for number, until in enumerate(free) if until <= begin), len(free))
    free[lane : lane + 1] = [end]
    return PageBar(
        pages[0].page_no,
        pages[-1].page_no,
        begin,
        end,
        sum(page.items for page in pages),
        all(page.is_good for page in pages),
        *axis.place(begin, end),
        lane,
    )

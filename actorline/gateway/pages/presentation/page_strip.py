"""The pages of a job's rows as one strip: which are stored, which are still to come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from actorline.delivery.page_plan import Window
from actorline.delivery.receipt import Receipt

MOST_CELLS: Final = 200  # a strip of more can't be seen; then cells stand for several pages


@dataclass(frozen=True)
class Cell:
    """`left`, `width`: of 1,000 units; `kind`: stored, failed or planned."""

    left: float
    width: float
    kind: str


@dataclass(frozen=True)
class Strip:
    cells: Sequence[Cell]
    stored: int
    failed: int
    planned: int


def strip_of(pages: Mapping[int, Window | Receipt]) -> Strip | None:
    """Return the strip; None while no page is planned."""
    kinds = [_kind(page) for _, page in sorted(pages.items())]
    if not kinds:
        return None
    each = -(-len(kinds) // MOST_CELLS)
    groups = [kinds[place : place + each] for place in range(0, len(kinds), each)]
    width = 1000 / len(groups)
    cells = [Cell(place * width, width, _worst(group)) for place, group in enumerate(groups)]
    return Strip(cells, kinds.count("stored"), kinds.count("failed"), kinds.count("planned"))


def _kind(page: Window | Receipt) -> str:
    if isinstance(page, Window):
        return "planned"
    return "stored" if page.is_good else "failed"


def _worst(kinds: Sequence[str]) -> str:
    return next(kind for kind in ("failed", "planned", "stored") if kind in kinds)

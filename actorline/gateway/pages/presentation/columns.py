"""Values over time as a chart of columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

GAP: Final = 4.0


@dataclass(frozen=True)
class Column:
    """`left`, `width`: of 1,000 units; `height`: of 100."""

    name: str
    value: float
    left: float
    width: float
    height: float


def columns(values: Sequence[tuple[str, float]], places: int) -> list[Column]:
    """Return a column for each value; the largest fills the height, and `places` of them the width."""
    largest = max([value for _, value in values], default=0) or 1
    width = 1000 / places
    return [
        Column(name, value, number * width, width - GAP, value / largest * 100)
        for number, (name, value) in enumerate(values)
    ]

"""What runs like an order's have cost and delivered before: its best estimate."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class PastRun:
    """A run that has ended. `rows`: what was stored of it; `minutes` None: its times aren't known."""

    cost_usd: float
    rows: int
    minutes: float | None
    succeeded: bool


class Spread(BaseModel):
    """The value in the middle, and one that nine of ten don't exceed."""

    model_config = ConfigDict(frozen=True)

    median: float
    p90: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread | None":
        """Return the spread of some values; None if there are none."""
        ordered = sorted(values)
        if not ordered:
            return None
        return cls(median=statistics.median(ordered), p90=ordered[math.ceil(0.9 * len(ordered)) - 1])


class History(BaseModel):
    """Runs of the same Actor, or Actor task, in the same account."""

    model_config = ConfigDict(frozen=True)

    runs: int
    succeeded: int
    cost_usd: Spread
    rows: Spread
    minutes: Spread | None
    usd_per_1000_rows: float | None = Field(description="Of all of them together; null: they have no rows")

    @classmethod
    def of(cls, runs: Sequence[PastRun]) -> Self | None:
        """Return what the runs say together; None if there are none."""
        cost, rows = Spread.of(run.cost_usd for run in runs), Spread.of(run.rows for run in runs)
        if cost is None or rows is None:
            return None
        all_rows, all_usd = sum(run.rows for run in runs), sum(run.cost_usd for run in runs)
        return cls(
            runs=len(runs),
            succeeded=sum(run.succeeded for run in runs),
            cost_usd=cost,
            rows=rows,
            minutes=Spread.of(run.minutes for run in runs if run.minutes is not None),
            usd_per_1000_rows=round(1000 * all_usd / all_rows, 6) if all_rows else None,
        )

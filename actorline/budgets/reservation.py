"""What a start reserves: the most that its run is expected to cost, in each budget that the job falls under."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from actorline.budgets.limits import MOST_USD, Budgets, Limits, account_id, label_id
from actorline.budgets.period import day_at, month_at

NANO: Final = 1_000_000_000
ENDLESS: Final = "all"
"""The period of a budget that never turns: a batch's."""


class OwnBudget(BaseModel):
    """A budget that a job brings along, such as its batch's: `batch_budget` makes it."""

    model_config = ConfigDict(frozen=True)

    id: str
    limit_nano_usd: int = Field(gt=0)


class Entry(BaseModel):
    """A period of a budget. `ends_at`: unix seconds; None: never. `limit_nano_usd` None: it is only counted."""

    model_config = ConfigDict(frozen=True)

    budget: str
    period: str
    ends_at: float | None = None
    limit_nano_usd: int | None = None


class Reservation(BaseModel):
    """What the run of an attempt may cost, and where that counts."""

    model_config = ConfigDict(frozen=True)

    attempt: int
    nano_usd: int
    entries: tuple[Entry, ...]

    @property
    def hopeless(self) -> Entry | None:
        """Return a period in which it would find no room even if nothing else were spent."""
        limited = (entry for entry in self.entries if entry.limit_nano_usd is not None)
        return next((entry for entry in limited if self.nano_usd > (entry.limit_nano_usd or 0)), None)

    def without_limits(self) -> "Reservation":
        """Return the same, for a run that exists already: it is counted in any case."""
        entries = tuple(entry.model_copy(update={"limit_nano_usd": None}) for entry in self.entries)
        return self.model_copy(update={"entries": entries})


@dataclass(frozen=True)
class Count:
    """What a period of a budget holds: nano-dollars."""

    spent: int = 0
    reserved: int = 0

    @property
    def taken(self) -> int:
        return self.spent + self.reserved


def batch_budget(key: str, usd: float) -> OwnBudget:
    """Return the budget that the members of a batch share. Raises ValueError for one of no dollars, or too many."""
    if not 0 < usd <= MOST_USD:
        raise ValueError(f"must be more than 0 and at most {MOST_USD:,} dollars")
    return OwnBudget(id=batch_id(key), limit_nano_usd=max(nano(usd), 1))


def batch_id(key: str) -> str:
    """Return the id of a batch's budget, which a later batch under the key has, too."""
    return f"batch:{key}"


def reserve(
    budgets: Budgets,
    *,
    account: str,
    labels: Mapping[str, str],
    own: OwnBudget | None,
    most_usd: float | None,
    attempt: int,
    at: float,
) -> Reservation | None:
    """Return what a run that is started `at` a time reserves; None if it falls under no budget.

    `most_usd`: the most that the run can cost, if its document says so.
    """
    named = list(_budgets_of(budgets, account, labels))
    entries = [entry for budget, limits in named for entry in _entries(budget, limits, at)]
    if own:
        entries.append(Entry(budget=own.id, period=ENDLESS, limit_nano_usd=own.limit_nano_usd))
    if not entries:
        return None
    amount = nano(budgets.assumed_run_usd if most_usd is None else most_usd)
    return Reservation(attempt=attempt, nano_usd=amount, entries=tuple(entries))


def unknown_value(budgets: Budgets, labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Return a label whose name has budgets, but not for this value: a typing error would escape them."""
    named = (label for label in labels.items() if label[0] in budgets.label)
    return next(((name, value) for name, value in named if value not in budgets.label[name]), None)


def without_room(reservation: Reservation, counts: Sequence[Count]) -> list[Entry]:
    """Return the entries in which the reservation finds no room; `counts`: of each of its entries."""
    return [
        entry
        for entry, count in zip(reservation.entries, counts, strict=True)
        if entry.limit_nano_usd is not None and count.taken + reservation.nano_usd > entry.limit_nano_usd
    ]


def nano(usd: float) -> int:
    return round(usd * NANO)


def _budgets_of(budgets: Budgets, account: str, labels: Mapping[str, str]) -> Iterator[tuple[str, Limits]]:
    if limits := budgets.account.get(account.lower()):
        yield account_id(account), limits
    for name, value in sorted(labels.items()):
        if limits := budgets.label.get(name, {}).get(value):
            yield label_id(name, value), limits


def _entries(budget: str, limits: Limits, at: float) -> Iterator[Entry]:
    """Yield the day and the month: both are counted, so that a limit that is set later finds what was spent."""
    zone = ZoneInfo(limits.timezone)
    for period, limit_usd in ((day_at(at, zone), limits.daily_usd), (month_at(at, zone), limits.monthly_usd)):
        limit = None if limit_usd is None else nano(limit_usd)
        yield Entry(budget=budget, period=period.name, ends_at=period.ends_at, limit_nano_usd=limit)

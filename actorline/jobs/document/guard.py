"""The contract for a run's rows (`guard`), and when there are enough of them (`stop_when`).

Both are judged on counts of the rows that were read so far, never on the rows themselves. Pure: no I/O.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, FailFast, Field, model_validator

from actorline.delivery.row_counts import FIRST_ROWS, NONE, Flaw, JsonType, RowsSeen
from actorline.jobs.document.lengths import AtMost
from actorline.jobs.document.section import Section
from actorline.jobs.document.values import Number, Seconds, Usd
from actorline.json_size import fitting

BrokenRule = Literal["required", "types", "unique", "min_items", "max_usd_per_1000", "silent_secs"]
EnoughRule = Literal["items", "unique", "usd", "matches"]
BROKEN_RULES: Final[tuple[BrokenRule, ...]] = get_args(BrokenRule)
ENOUGH_RULES: Final[tuple[EnoughRule, ...]] = get_args(EnoughRule)

PATHS_MAX: Final = 100
KEY_PATHS_MAX: Final = 10
PATHS_BYTES: Final = 200  # of the paths in a message: a result has 4 kB, and up to three times its rule
PATH_PARTS_MAX: Final = 20
SMALL_USD: Final = 0.1  # below it a cent is too coarse
PARENTS: Final[Mapping[str, str]] = {"object": "fields", "array": "elements"}
"""The types whose values have parts: what a dotted path may lead through."""


def _is_path(path: str) -> str:
    parts = path.split(".")
    if "" in parts:
        raise ValueError("has an empty part: write field, field.inner or list.0.inner")
    if len(parts) > PATH_PARTS_MAX:
        raise ValueError(f"has {len(parts)} parts; at most {PATH_PARTS_MAX} are allowed")
    if not path.isprintable():
        raise ValueError("has characters that can't be printed")
    return path


def _is_scalar(value: object) -> object:
    if isinstance(value, list | dict):
        raise ValueError("must be a text, a number, true, false or null")  # noqa: TRY004 - pydantic wants ValueError
    return value


Path = Annotated[
    str, Field(min_length=1, description="Dotted, such as `price.amount`"), AtMost(200), AfterValidator(_is_path)
]
Paths = Annotated[list[Path], FailFast(), AtMost(PATHS_MAX)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Scalar = Annotated[
    Annotated[str, AtMost(1_000)] | bool | int | Annotated[float, Field(allow_inf_nan=False)] | None,
    BeforeValidator(_is_scalar),
]


class Guard(Section):
    """What the rows must be like. A broken contract ends the job as PARTIAL, with the reason `guard-broken`."""

    required: Paths = Field([], description="Fields that every row should have; null and empty values are missing")
    max_missing: Share = Field(
        0.05, description="Share of the rows in which such a field may be missing, or a type wrong"
    )
    types: Annotated[dict[Path, JsonType], AtMost(PATHS_MAX)] = Field(
        {}, description="Types of fields, where they aren't missing: string, number, integer, boolean, array or object"
    )
    unique: Annotated[Paths, AtMost(KEY_PATHS_MAX)] = Field([], description="Fields that together are a row's key")
    max_duplicates: Share = Field(0.1, description="Share of the rows that may have the key of an earlier row")
    min_items: Number | None = Field(None, description="Least rows of the whole run")
    max_usd_per_1000: Usd | None = Field(None, description="Most dollars that 1,000 rows may cost")
    silent_secs: Seconds | None = Field(None, description="Most seconds without a new row while the run is running")
    after_items: int = Field(
        200, ge=1, le=1_000_000, description="Rows from which on shares and costs are judged while the run is running"
    )
    on_violation: Literal["abort", "report"] = Field(
        "abort", description="`abort` aborts the run at once; `report` only tells it in the timeline and the result"
    )

    @model_validator(mode="after")
    def _has_a_rule(self) -> "Guard":
        if not (self.watches_fields or self.min_items or self.max_usd_per_1000 or self.silent_secs):
            rules = "required, types, unique, min_items, max_usd_per_1000, silent_secs"
            raise ValueError(f"has no rule: give at least one of {rules}")
        return self

    @model_validator(mode="after")
    def _has_no_idle_number(self) -> "Guard":
        """Refuse a number that no rule uses: whoever wrote it believes that something is checked."""
        given = self.model_dump(exclude_defaults=True)
        if "max_missing" in given and not (self.required or self.types):
            raise ValueError("max_missing belongs to required and types, and neither is given")
        if "max_duplicates" in given and not self.unique:
            raise ValueError("max_duplicates belongs to unique, which isn't given")
        if "after_items" in given and not (self.watches_fields or self.max_usd_per_1000):
            raise ValueError("after_items belongs to required, types, unique and max_usd_per_1000; none is given")
        return self

    @model_validator(mode="after")
    def _names_each_path_once(self) -> "Guard":
        for name, paths in (("required", self.required), ("unique", self.unique)):
            if twice := [path for path, count in Counter(paths).items() if count > 1]:
                raise ValueError(f"{name} names {twice[0]} twice")
        return self

    @model_validator(mode="after")
    def _types_agree_with_paths(self) -> "Guard":
        for path, outer in _ways(self.paths):
            if problem := _misfit(path, outer, self.types.get(outer)):
                raise ValueError(problem)
        return self

    @property
    def paths(self) -> list[str]:
        """Return every path that is looked at, each once."""
        return list(dict.fromkeys([*self.required, *self.types, *self.unique]))

    @property
    def watches_fields(self) -> bool:
        """Return whether the fields of the rows are looked at."""
        return bool(self.required or self.types or self.unique)


class StopWhen(Section):
    """When there is enough: any of these stops the run, and what was paid for is delivered."""

    items: Number | None = Field(None, description="So many rows")
    unique: Number | None = Field(None, description="So many different keys; `guard.unique` names the key")
    usd: Usd | None = Field(None, description="So many dollars")
    matches: Annotated[dict[Path, Scalar], AtMost(PATHS_MAX)] | None = Field(
        None, description="A row with all of these values"
    )

    @model_validator(mode="after")
    def _has_a_rule(self) -> "StopWhen":
        if self.matches is not None and not self.matches:
            raise ValueError("matches is empty: name a field and the value that it must have")
        if not (self.items or self.unique or self.usd or self.matches):
            raise ValueError("has no rule: give at least one of items, unique, usd, matches")
        return self


def _ways(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each path with each path that it leads through."""
    for path in paths:
        parts = path.split(".")
        yield from ((path, ".".join(parts[:count])) for count in range(1, len(parts)))


def _misfit(path: str, outer: str, type_: str | None) -> str | None:
    """Return why a path can't lead through a field of a type; None: it can, or the type isn't known."""
    if type_ is None:
        return None
    if type_ not in PARENTS:
        return f"types contradicts {path}: {outer} is to be {_with_article(type_)}, which has no fields"
    part = path.removeprefix(f"{outer}.").split(".")[0]
    if type_ == "array" and not part.isdecimal():
        return f"types contradicts {path}: {outer} is to be an array, whose elements are 0, 1, ..."
    return None


class Broken(BaseModel):
    """A rule that the rows broke: the first one that was found. `figure` is what was found, `limit` what is allowed.

    `rows` were there by then; `first`: the first ten bad rows, by their number in the delivery, from 1. `stops`: the
    run was still running, and is aborted for it.
    """

    model_config = ConfigDict(frozen=True)

    rule: BrokenRule
    path: str | None = None
    figure: float
    limit: float
    rows: int
    first: list[int] = []
    message: str
    stops: bool = False


class Enough(BaseModel):
    """Why a run is stopped early: so many `rows` were there, and `needed` of them were enough."""

    model_config = ConfigDict(frozen=True)

    rule: EnoughRule
    rows: int
    needed: int
    message: str


@dataclass(frozen=True)
class Standing:
    """How a run stands besides its rows' fields. `rows`: as far as is known, also those that weren't read yet; `usd`:
    what it has cost, if that is known; `silent_s`: seconds since the last new row, while it is running. `is_ended`: no
    more rows come, so all rules are judged, on however few rows.
    """

    rows: int
    usd: float | None = None
    silent_s: float | None = None
    is_ended: bool = False


def broken_rule(guard: Guard, seen: RowsSeen, standing: Standing) -> Broken | None:
    """Return the first rule that the rows break, as far as they are known; None: they keep the contract."""
    from_rows = 1 if standing.is_ended else guard.after_items
    return (
        _silent(guard, standing)
        or _too_few(guard, standing)
        or _too_dear(guard, standing, from_rows)
        or (_bad_share(guard, seen) if seen.rows >= from_rows else None)
    )


def reached(stop_when: StopWhen, seen: RowsSeen, standing: Standing) -> Enough | None:
    """Return which condition is met; None: none is yet."""
    rows = standing.rows
    if stop_when.items and rows >= stop_when.items:
        return Enough(rule="items", rows=rows, needed=stop_when.items, message=f"{stop_when.items:,} rows were enough")
    if stop_when.unique and seen.keys >= stop_when.unique:
        message = f"{seen.keys:,} different keys came, and {stop_when.unique:,} were enough"
        return Enough(rule="unique", rows=rows, needed=seen.rows, message=message)
    if stop_when.usd and (standing.usd or 0) >= stop_when.usd:
        message = f"${standing.usd or 0:.4f} are spent, and ${stop_when.usd:g} was the limit"
        return Enough(rule="usd", rows=rows, needed=rows, message=message)
    if stop_when.matches and seen.matches.count:
        row = seen.matches.first[0]
        return Enough(rule="matches", rows=rows, needed=row, message=f"row {row:,} has the values that end the run")
    return None


def _silent(guard: Guard, standing: Standing) -> Broken | None:
    silent_s, limit = standing.silent_s, guard.silent_secs
    if silent_s is None or limit is None or silent_s <= limit:
        return None
    message = f"no new row came for {silent_s:,.0f} s; at most {limit:,g} s were allowed"
    return Broken(rule="silent_secs", figure=round(silent_s, 1), limit=limit, rows=standing.rows, message=message)


def _too_few(guard: Guard, standing: Standing) -> Broken | None:
    if not standing.is_ended or guard.min_items is None or standing.rows >= guard.min_items:
        return None
    message = f"{standing.rows:,} rows came; at least {guard.min_items:,} were expected"
    return Broken(rule="min_items", figure=standing.rows, limit=guard.min_items, rows=standing.rows, message=message)


def _too_dear(guard: Guard, standing: Standing, from_rows: int) -> Broken | None:
    """Judge the cost of 1,000 rows. While few rows are there, it is that of `after_items` rows: cheaper they can't
    become.
    """
    limit, rows, usd = guard.max_usd_per_1000, standing.rows, standing.usd or 0
    price = usd * 1_000 / max(rows, from_rows)
    if limit is None or price <= limit:
        return None
    shown = f"{price:,.2f}" if price >= SMALL_USD else f"{price:.4f}"
    message = f"{rows:,} rows cost ${usd:.4f}, which is ${shown} for 1,000; at most ${limit:g} was allowed"
    return Broken(rule="max_usd_per_1000", figure=round(price, 6), limit=limit, rows=rows, message=message)


def _bad_share(guard: Guard, seen: RowsSeen) -> Broken | None:
    """Judge the shares of bad rows, field by field in the order of the document."""
    for path in guard.required:
        words = f"{fitting(path, PATHS_BYTES)} is missing"
        if broken := _share(guard, "required", path, words, seen.missing.get(path, NONE), seen.rows):
            return broken
    for path, type_ in guard.types.items():
        words = f"{fitting(path, PATHS_BYTES)} is not {_with_article(type_)}"
        if broken := _share(guard, "types", path, words, seen.mistyped.get(path, NONE), seen.rows):
            return broken
    if guard.unique:
        key = fitting(", ".join(guard.unique), PATHS_BYTES)
        words = f"{key} {'is that' if len(guard.unique) == 1 else 'are those'} of an earlier row"
        return _without_keys(guard, key, seen) or _share(guard, "unique", key, words, seen.duplicates, seen.keyed)
    return None


def _without_keys(guard: Guard, key: str, seen: RowsSeen) -> Broken | None:
    """Judge rows of which none has the key: a misspelled one, or one that is gone, would never find a duplicate."""
    if seen.keyed or not seen.rows or guard.max_duplicates == 1:
        return None
    message = f"{key} is missing in all of {seen.rows:,} rows, so that none can be told from another"
    first = list(range(1, min(seen.rows, FIRST_ROWS) + 1))
    return Broken(
        rule="unique", path=key, figure=1, limit=guard.max_duplicates, rows=seen.rows, first=first, message=message
    )


def _share(
    guard: Guard, rule: Literal["required", "types", "unique"], path: str, words: str, flaw: Flaw, rows: int
) -> Broken | None:
    limit = guard.max_duplicates if rule == "unique" else guard.max_missing
    share = flaw.count / rows if rows else 0
    if share <= limit:
        return None
    message = f"{words} in {percent(share)} of {rows:,} rows; at most {percent(limit)} was allowed"
    return Broken(
        rule=rule, path=path, figure=round(share, 6), limit=limit, rows=rows, first=list(flaw.first), message=message
    )


def percent(share: float) -> str:
    """Return `97 %`; more digits where a whole number would hide the difference."""
    return f"{100 * share:.3g} %"


def _with_article(type_: str) -> str:
    return f"{'an' if type_[0] in 'aio' else 'a'} {type_}"

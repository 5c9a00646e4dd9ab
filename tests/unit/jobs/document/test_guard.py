"""The contract for rows: what it may say, and what the counts of pages say about it."""

from typing import Any

import pytest
from pydantic import ValidationError

from actorline.delivery.row_counts import Flaw, RowCounts, RowsSeen, add_up
from actorline.jobs.document.guard import Guard, Standing, StopWhen, broken_rule, reached


def flaw(*rows: int, count: int | None = None) -> Flaw:
    return Flaw(count=len(rows) if count is None else count, first=rows[:10])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "has no rule"),
        ({"on_violation": "report"}, "has no rule"),
        ({"required": ["a..b"]}, "empty part"),
        ({"required": [".a"]}, "empty part"),
        ({"required": ["a", "a"]}, "required names a twice"),
        ({"required": ["a\n"]}, "can't be printed"),
        ({"required": [".".join("a" * 21)]}, "21 parts"),
        ({"required": ["a"], "max_missing": 1.1}, "less than or equal to 1"),
        ({"required": ["a"], "max_missing": -0.1}, "greater than or equal to 0"),
        ({"required": ["a"], "max_missing": float("nan")}, "finite"),
        ({"min_items": -1}, "greater than or equal to 1"),
        ({"max_usd_per_1000": 0}, "greater than 0"),
        ({"silent_secs": -5}, "greater than 0"),
        ({"required": ["a"], "after_items": 0}, "greater than or equal to 1"),
        ({"required": ["a"], "on_violation": "ignore"}, "'abort' or 'report'"),
        ({"min_items": 1, "max_missing": 0.1}, "max_missing belongs to required and types"),
        ({"min_items": 1, "max_duplicates": 0.2}, "max_duplicates belongs to unique"),
        ({"min_items": 1, "after_items": 5}, "after_items belongs to"),
        ({"types": {"price": "money"}}, "'number'"),
        ({"types": {"price": "number"}, "required": ["price.amount"]}, "price is to be a number, which has no fields"),
        ({"types": {"tags": "array"}, "unique": ["tags.first"]}, "whose elements are 0, 1"),
        ({"required": ["a"], "max_mising": 0.1}, "Extra inputs"),
    ],
)
def test_bad_contract_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Guard.model_validate(given)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "has no rule"),
        ({"matches": {}}, "matches is empty"),
        ({"matches": {"a": [1]}}, "valid"),
        ({"items": 0}, "greater than or equal to 1"),
        ({"usd": -1}, "greater than 0"),
    ],
)
def test_bad_stop_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        StopWhen.model_validate(given)


def test_contract_that_names_all_defaults_stays_valid() -> None:
    guard = Guard(min_items=1)
    assert Guard.model_validate(guard.model_dump()) == guard


def test_pages_add_up_with_row_numbers_of_the_delivery() -> None:
    first = RowCounts(rows=100, missing={"price": flaw(7)}, matches=flaw(99))
    second = RowCounts(rows=50, missing={"price": flaw(0, 49)}, mistyped={"url": flaw(3)})
    seen = add_up([first, second])
    assert seen.rows == 150
    assert seen.missing == {"price": Flaw(count=3, first=(8, 101, 150))}
    assert seen.mistyped == {"url": Flaw(count=1, first=(104,))}
    assert seen.matches == Flaw(count=1, first=(100,))


def test_only_the_first_ten_bad_rows_are_named() -> None:
    page = RowCounts(rows=20, missing={"price": flaw(*range(10), count=20)})
    seen = add_up([page, page])
    assert seen.missing["price"] == Flaw(count=40, first=tuple(range(1, 11)))


@pytest.mark.parametrize(
    ("guard", "seen", "usd", "rule"),
    [
        ({"required": ["a"]}, RowsSeen(rows=199, missing={"a": flaw(1, count=199)}), None, None),
        ({"required": ["a"]}, RowsSeen(rows=200, missing={"a": flaw(1, count=10)}), None, None),
        ({"required": ["a"]}, RowsSeen(rows=200, missing={"a": flaw(1, count=11)}), None, "required"),
        ({"types": {"a": "number"}}, RowsSeen(rows=200, mistyped={"a": flaw(1, count=11)}), None, "types"),
        ({"unique": ["a"]}, RowsSeen(rows=200, keyed=200, keys=179, duplicates=flaw(count=21)), None, "unique"),
        ({"unique": ["a"]}, RowsSeen(rows=200, keyed=200, keys=180, duplicates=flaw(count=20)), None, None),
        ({"unique": ["a"]}, RowsSeen(rows=199), None, None),
        ({"unique": ["a"]}, RowsSeen(rows=200), None, "unique"),
        ({"unique": ["a"], "max_duplicates": 1}, RowsSeen(rows=200), None, None),
        ({"min_items": 100}, RowsSeen(rows=1), None, None),
        ({"max_usd_per_1000": 2}, RowsSeen(rows=1_000), 2.1, "max_usd_per_1000"),
        ({"max_usd_per_1000": 2}, RowsSeen(rows=1_000), 2.0, None),
        ({"max_usd_per_1000": 2}, RowsSeen(rows=0), 0.4, None),
        ({"max_usd_per_1000": 2}, RowsSeen(rows=0), 0.41, "max_usd_per_1000"),
        ({"max_usd_per_1000": 2}, RowsSeen(rows=0), None, None),
    ],
)
def test_running_rows_are_judged(guard: dict[str, Any], seen: RowsSeen, usd: float | None, rule: str | None) -> None:
    broken = broken_rule(Guard.model_validate(guard), seen, Standing(rows=seen.rows, usd=usd))
    assert (broken.rule if broken else None) == rule


@pytest.mark.parametrize(
    ("guard", "seen", "rule"),
    [
        ({"required": ["a"]}, RowsSeen(rows=3, missing={"a": flaw(0)}), "required"),
        ({"required": ["a"]}, RowsSeen(), None),
        ({"min_items": 100}, RowsSeen(rows=99), "min_items"),
        ({"min_items": 100}, RowsSeen(rows=100), None),
        ({"max_usd_per_1000": 2}, RowsSeen(rows=0), "max_usd_per_1000"),
    ],
)
def test_all_rows_of_an_ended_run_are_judged(guard: dict[str, Any], seen: RowsSeen, rule: str | None) -> None:
    broken = broken_rule(Guard.model_validate(guard), seen, Standing(rows=seen.rows, usd=0.1, is_ended=True))
    assert (broken.rule if broken else None) == rule


def test_broken_rule_says_figure_limit_and_rows() -> None:
    seen = RowsSeen(rows=1_000, missing={"price": flaw(31, 32, count=970)})
    broken = broken_rule(Guard(required=["price"]), seen, Standing(rows=1_000))
    assert broken is not None
    assert broken.message == "price is missing in 97 % of 1,000 rows; at most 5 % was allowed"
    assert (broken.path, broken.figure, broken.limit, broken.first) == ("price", 0.97, 0.05, [31, 32])


@pytest.mark.parametrize(
    ("guard", "seen", "usd", "message"),
    [
        ({"unique": ["url"]}, RowsSeen(rows=600, keyed=600, keys=300, duplicates=flaw(301, count=300)), None,
         "url is that of an earlier row in 50 % of 600 rows; at most 10 % was allowed"),
        ({"unique": ["a", "b"]}, RowsSeen(rows=600, keyed=600, keys=300, duplicates=flaw(301, count=300)), None,
         "a, b are those of an earlier row in 50 % of 600 rows; at most 10 % was allowed"),
        ({"max_usd_per_1000": 0.001}, RowsSeen(rows=1_000), 0.0025,
         "1,000 rows cost $0.0025, which is $0.0025 for 1,000; at most $0.001 was allowed"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_told_in_plain_words(guard: dict[str, Any], seen: RowsSeen, usd: float, message: str) -> None:
    broken = broken_rule(Guard.model_validate(guard), seen, Standing(rows=seen.rows, usd=usd))
    assert broken is not None
    assert broken.message == message


def test_silence_breaks_the_contract() -> None:
    guard = Guard(silent_secs=60)
    assert broken_rule(guard, RowsSeen(rows=5), Standing(rows=5, silent_s=60)) is None
    broken = broken_rule(guard, RowsSeen(rows=5), Standing(rows=5, silent_s=61))
    assert broken is not None
    assert broken.rule == "silent_secs"


@pytest.mark.parametrize(
    ("stop_when", "seen", "usd", "rule"),
    [
        ({"items": 10}, RowsSeen(rows=9), None, None),
        ({"items": 10}, RowsSeen(rows=10), None, "items"),
        ({"unique": 10}, RowsSeen(rows=50, keyed=50, keys=9), None, None),
        ({"unique": 10}, RowsSeen(rows=50, keyed=50, keys=10), None, "unique"),
        ({"usd": 0.5}, RowsSeen(rows=50), 0.49, None),
        ({"usd": 0.5}, RowsSeen(), 0.5, "usd"),
        ({"matches": {"last": True}}, RowsSeen(rows=50, matches=flaw(50)), None, "matches"),
    ],
)
def test_enough_is_reached(stop_when: dict[str, Any], seen: RowsSeen, usd: float | None, rule: str | None) -> None:
    enough = reached(StopWhen.model_validate(stop_when), seen, Standing(rows=seen.rows, usd=usd))
    assert (enough.rule if enough else None) == rule

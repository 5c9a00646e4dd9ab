"""A learned guard: every delivery that it was learned from keeps it, whenever it is looked at."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actorline.delivery.key_sample import KeySample, compare_keys
from actorline.delivery.row_counter import RowCounter, RowLook
from actorline.delivery.row_counts import RowsSeen, add_up
from actorline.delivery.row_survey import KEYS_KEPT, RowSurvey
from actorline.jobs.document.guard import Guard, Standing, broken_rule
from actorline.jobs.document.learned_guard import learn_guard

AFTER_ITEMS = 5
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=2), st.lists(st.integers(), max_size=1),
    st.dictionaries(st.sampled_from(["amount", "a.b", ""]), st.integers(0, 9), max_size=2),
)  # fmt: skip
ROWS = st.one_of(
    st.dictionaries(st.sampled_from(["url", "price", "a.b"]), VALUES, max_size=3), st.just({}), st.just([1])
)


@st.composite
def deliveries(draw: Any) -> list[list[Any]]:
    """Deliveries of rows that are mostly alike, with some that aren't."""
    usual = draw(ROWS)
    return [
        [usual if draw(st.booleans()) else draw(ROWS) for _ in range(draw(st.integers(0, 30)))]
        for _ in range(draw(st.integers(1, 3)))
    ]


def seen(guard: Guard, rows: Sequence[Any]) -> RowsSeen:
    """What the guard's own reader counts of the rows."""
    counter = RowCounter(RowLook(guard.required, guard.types, guard.unique))
    counter.feed(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    keys = compare_keys([(0, KeySample.of(counter.keys, end=len(rows)))])
    counts = add_up([counter.counts()])
    return RowsSeen(
        counts.rows, counts.missing, counts.mistyped, counts.matches, keys.keyed, keys.keys, keys.duplicates
    )


@settings(max_examples=60, deadline=None)
@given(deliveries=deliveries(), costs=st.lists(st.floats(0.0001, 1000), max_size=3))
def test_the_deliveries_keep_what_was_learned_from_them(deliveries, costs):
    surveys = [RowSurvey.of(rows, after_items=AFTER_ITEMS) for rows in deliveries]
    learned = learn_guard(surveys, costs)
    if learned is None:
        return
    guard = learned.model_copy(update={"after_items": AFTER_ITEMS})
    for rows in deliveries:
        for count in range(len(rows)):
            assert broken_rule(guard, seen(guard, rows[:count]), Standing(count, None, is_ended=False)) is None
        usd = max(costs, default=0) * len(rows) / 1000
        assert broken_rule(guard, seen(guard, rows), Standing(len(rows), usd, is_ended=True)) is None


def learned(*deliveries: list[Any], costs: Sequence[float] = ()) -> dict[str, Any]:
    guard = learn_guard([RowSurvey.of(rows, after_items=200) for rows in deliveries], costs)
    return guard.model_dump(exclude_unset=True) if guard else {}


def test_a_usual_shop_gives_a_contract_as_a_person_writes_it():
    rows = [
        {
            "n": 1,
            "url": f"u{number}",
            "price": {"amount": number + 0.5, "currency": "EUR"},
            "note": "" if number else "x",
        }
        for number in range(1000)
    ]
    rows[500]["price"] = None
    assert learned(rows, rows[:400], costs=[1.23]) == {
        "required": ["n", "url", "price", "price.amount", "price.currency"],
        "max_missing": 0.05,
        "types": {
            "n": "number", "url": "string", "price": "object", "price.amount": "number", "price.currency": "string",
        },
        "unique": ["url"],
        "max_duplicates": 0.05,
        "min_items": 200,
        "max_usd_per_1000": 2.5,
    }  # fmt: skip


def test_a_field_that_comes_late_is_not_required():
    rows = [{"url": f"u{number}", **({"price": 1} if number >= 300 else {})} for number in range(30_000)]
    assert learned(rows)["required"] == ["url"]  # a guard that looks after 200 rows finds no price at all


def test_a_field_of_two_types_has_none():
    assert "types" not in learned([{"v": 1}, {"v": "1"}])


def test_nothing_is_learned_of_no_rows():
    assert learned([]) == {}


def test_a_key_and_a_repeating_field_differ_in_bounded_memory():
    rows = ({"page": number // 2, "url": f"u{number}"} for number in range(5 * KEYS_KEPT))
    survey = RowSurvey.of(rows, after_items=200)
    assert [survey.fields[name].keys.repeats for name in ("page", "url")] == [True, False]
    assert len(survey.fields["url"].keys._seen) <= KEYS_KEPT

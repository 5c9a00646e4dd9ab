"""What a start reserves, where, and who finds room."""

import pytest

from actorline.budgets.limits import Budgets
from actorline.budgets.reservation import Count, Entry, Reservation, batch_budget, reserve
from actorline.errors import Refused
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job_reservation import check_budgets, usd_text, waiting_text
from actorline.upkeep.budget_line import fitting

BUDGETS = Budgets.model_validate(
    {
        "account": {"default": {"daily_usd": 10, "monthly_usd": 100}},
        "label": {"team": {"search": {"daily_usd": 2}}},
    }
)
NOON = 1_764_331_200.0  # 2025-11-28 12:00 UTC


def reserved(**order):
    given = {"account": "Default", "labels": {}, "own": None, "most_usd": None, "attempt": 1, "at": NOON}
    return reserve(BUDGETS, **{**given, **order})


def test_start_reserves_its_most_or_what_is_assumed():
    assert reserved().nano_usd == 500_000_000
    assert reserved(most_usd=0.1).nano_usd == 100_000_000
    assert reserved(account="other") is None


def test_day_and_month_of_each_budget_count():
    found = reserved(labels={"team": "search", "x": "y"}, own=batch_budget("b", 7))
    assert [(entry.budget, entry.period, entry.limit_nano_usd) for entry in found.entries] == [
        ("account:default", "2025-11-28", 10_000_000_000),
        ("account:default", "2025-11", 100_000_000_000),
        ("label:team=search", "2025-11-28", 2_000_000_000),
        ("label:team=search", "2025-11", None),
        ("batch:b", "all", 7_000_000_000),
    ]


@pytest.mark.parametrize("usd", [0, -1, 9_000_001, float("nan")])
def test_batch_budget_is_more_than_nothing(usd):
    with pytest.raises(ValueError, match="must be more than 0"):
        batch_budget("b", usd)


def test_label_with_budgets_needs_one_for_its_value():
    with pytest.raises(Refused, match="none for the value 'serach': only search"):
        check_budgets(parse_document({"actor": "x", "labels": {"team": "serach"}}), BUDGETS)
    check_budgets(parse_document({"actor": "x", "labels": {"team": "search"}}), BUDGETS)
    check_budgets(parse_document({"dataset_id": "x", "labels": {"team": "serach"}}), BUDGETS)


def test_run_beyond_a_whole_budget_is_refused():
    order = {"actor": "x", "labels": {"team": "search"}, "options": {"max_total_charge_usd": 2.01}}
    with pytest.raises(Refused, match=r"may cost \$2\.01, but the budget label:team=search allows \$2\.00 a day"):
        check_budgets(parse_document(order), BUDGETS)


def test_waiting_text_says_which_budget_and_until_when():
    wanted = reserved(labels={"team": "search"})
    assert waiting_text(wanted, wanted.entries[:1]) == (
        "No room in account:default ($10.00 a day) for a run that may cost $0.50: it waits for room, until 2025-11-29 "
        "00:00 UTC at the latest."
    )


@pytest.mark.parametrize(
    ("nano_usd", "text"), [(500_000_000, "$0.50"), (1, "$0.000000001"), (1_234_500_000_000, "$1,234.50"), (0, "$0.00")]
)
def test_dollars_have_all_their_digits(nano_usd, text):
    assert usd_text(nano_usd) == text


def test_line_lets_in_who_fits_beside_those_before():
    entry = Entry(budget="b", period="all", limit_nano_usd=10)

    def wants(nano_usd):
        return Reservation(attempt=1, nano_usd=nano_usd, entries=(entry,))

    line = [("big", wants(9)), ("small", wants(3)), ("gone", None), ("next", wants(2)), ("last", wants(1))]
    assert list(fitting(line, {("b", "all"): Count(spent=4, reserved=1)})) == ["small", "gone", "next"]

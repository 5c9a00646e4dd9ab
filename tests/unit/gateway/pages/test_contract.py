"""Contracts for rows, and when there are enough, as a job's page says them."""

import pytest

from actorline.gateway.pages.presentation.contract import contract, enough
from actorline.jobs.document.guard import Guard, StopWhen


@pytest.mark.parametrize(
    ("guard", "words"),
    [
        ({"required": ["price", "url"], "unique": ["url"], "min_items": 1},
         "price, url in each row; url unique; at least 1 row"),
        ({"types": {"price": "number"}, "unique": ["shop", "url"], "on_violation": "report"},
         "price: number; shop, url unique together (only reported)"),
        ({"max_usd_per_1000": 0.5, "silent_secs": 1800}, "at most $0.5 for 1,000 rows; a new row every 30 min"),
        ({"required": list("abcdefg")}, "a, b, c, d, e and 2 more in each row"),
    ],
)  # fmt: skip
def test_a_contract_is_told_in_a_few_words(guard, words):
    assert contract(Guard.model_validate(guard)) == words


def test_enough_is_told_in_a_few_words():
    guard = Guard(unique=["url"])
    stop_when = StopWhen(items=30_000, unique=50, usd=2, matches={"last": True})
    words = "30,000 rows, or 50 different url, or $2, or a row with the last that was ordered"
    assert enough(stop_when, guard) == words

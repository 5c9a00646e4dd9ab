"""Who is missing, and what is said of the jobs that are left behind."""

import pytest

from actorline.jobs.states import LIVE
from actorline.ledger.tally import Tally
from actorline.upkeep.unattended import BILLING_FIRST, describe_missing, missing_workers


def tally(**unseen_s: float) -> Tally:
    return Tally({}, 0, 0, 0, frozenset(), {}, unseen_s, None, {})


@pytest.mark.parametrize(
    ("unseen_s", "missing"),
    [
        ({"control": 1, "fetch": 19, "doors": 1}, {}),
        ({"control": 1, "fetch": 360}, {"fetch": 360}),
        ({"control": 1}, {"fetch": None}),
        ({}, {"control": None, "fetch": None}),
    ],
)
def test_worker_that_was_not_seen_for_long_is_missing(unseen_s, missing):
    assert missing_workers(tally(**unseen_s)) == missing


def test_missing_workers_are_named_with_their_age():
    assert describe_missing({"control": None, "fetch": 3600}) == [
        "control worker runs (none was ever seen)",
        "fetch worker runs (last seen 3,600 s ago)",
    ]


def test_every_live_state_is_described():
    assert set(BILLING_FIRST) == LIVE

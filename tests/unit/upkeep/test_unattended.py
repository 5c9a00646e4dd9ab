"""Who is missing, and what is said of the jobs that are left behind."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from actorline.jobs.states import LIVE, State
from actorline.ledger.queries.tally import Tally
from actorline.upkeep.unattended import BILLING_FIRST, LIFE, describe_missing, describe_unfinished, missing_workers


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
        "control worker runs (never seen)",
        "fetch worker runs (last seen 3,600 s ago)",
    ]


def test_every_live_state_is_described():
    assert set(BILLING_FIRST) == set(LIFE) == LIVE


@pytest.mark.parametrize(
    ("logs", "way_on"),
    [
        (None, "`actorline up` continues it"),
        (
            Path("/h/logs"),
            "The stack is running, so its workers hang or can't start: see /h/logs. Then restart `actorline up`",
        ),
    ],
)
def test_way_on_depends_on_whether_a_stack_is_up(monkeypatch, logs, way_on):
    jobs = {**dict.fromkeys(LIVE, 0), State.QUEUED: 1}
    monkeypatch.setattr("actorline.upkeep.unattended.read_tally", lambda _ledger: SimpleNamespace(jobs=jobs))
    ledger = SimpleNamespace(
        list_keys=lambda state: iter([("k", 0.0)] if state is State.QUEUED else []), load_many=lambda _keys: [None]
    )
    assert (
        describe_unfinished(ledger, logs=logs) == f"1 job is unfinished: k. {way_on}; `actorline cancel KEY` stops one."
    )


@pytest.mark.parametrize("reads", range(len(LIFE)))
def test_a_job_that_moves_on_while_states_are_read_is_named(monkeypatch, reads):
    """It is STARTING for so many reads, and RUNNING from then on."""
    jobs = {**dict.fromkeys(LIVE, 0), State.STARTING: 1}
    monkeypatch.setattr("actorline.upkeep.unattended.read_tally", lambda _ledger: SimpleNamespace(jobs=jobs))
    states = iter([State.STARTING] * reads + [State.RUNNING] * len(LIFE))
    ledger = SimpleNamespace(
        list_keys=lambda state: iter([("k", 0.0)] if state is next(states) else []), load_many=lambda _keys: [None]
    )
    assert describe_unfinished(ledger).startswith("1 job is unfinished: k. ")

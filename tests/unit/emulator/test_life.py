import pytest

from actorline.emulator.life import Life
from actorline.emulator.profile import Script

START = 1_700_000_000.0


def life(*, timeout_secs=0, aborted_at=None, **script):
    at = None if aborted_at is None else START + aborted_at
    return Life(Script(**script), created_at=START, timeout_secs=timeout_secs, aborted_at=at)


PLAIN = {"ready_secs": 2, "duration_secs": 10, "items": 100, "abort_secs": 3}


@pytest.mark.parametrize(
    ("run", "after_secs", "status", "items"),
    [
        (life(**PLAIN), 0, "READY", 0),
        (life(**PLAIN), 1.9, "READY", 0),
        (life(**PLAIN), 2, "RUNNING", 0),
        (life(**PLAIN), 7, "RUNNING", 50),
        (life(**PLAIN), 12, "SUCCEEDED", 100),
        (life(**PLAIN, final_status="FAILED"), 12, "FAILED", 100),
        (life(**PLAIN, final_status="ABORTED"), 12, "ABORTING", 100),
        (life(**PLAIN, final_status="ABORTED"), 15, "ABORTED", 100),
        (life(**PLAIN, timeout_secs=4), 5.9, "RUNNING", 39),
        (life(**PLAIN, timeout_secs=4), 6, "TIMING-OUT", 40),
        (life(**PLAIN, timeout_secs=4), 9, "TIMED-OUT", 40),
        (life(**PLAIN, timeout_secs=10), 12, "SUCCEEDED", 100),
        (life(**PLAIN, aborted_at=1), 1, "ABORTING", 0),
        (life(**PLAIN, aborted_at=1), 4, "ABORTED", 0),
        (life(**PLAIN, aborted_at=7), 9.9, "ABORTING", 50),
        (life(**PLAIN, aborted_at=7), 10, "ABORTED", 50),
        (life(**PLAIN, timeout_secs=4, aborted_at=7), 8, "ABORTING", 40),
        (life(**PLAIN, timeout_secs=4, aborted_at=7), 10, "ABORTED", 40),
        (life(**PLAIN, item_rate=5), 7, "RUNNING", 25),
        (life(**PLAIN, item_rate=50), 7, "RUNNING", 100),
        (life(duration_secs=0, items=7), 0, "SUCCEEDED", 7),
    ],
)
def test_status_and_items_follow_the_script(run, after_secs, status, items):
    assert run.status(START + after_secs) == status
    assert run.items(START + after_secs) == items


@pytest.mark.parametrize(
    ("run", "at_secs", "before", "status", "items"),
    [
        (life(**PLAIN), 1, "READY", "SUCCEEDED", 100),
        (life(**PLAIN), 3, "RUNNING", "SUCCEEDED", 100),
        (life(**PLAIN, item_rate=1), 3, "RUNNING", "SUCCEEDED", 100),
        (life(**PLAIN, final_status="FAILED"), 3, "RUNNING", "FAILED", 100),
        (life(**PLAIN, aborted_at=1), 3, "ABORTING", "ABORTED", 0),
        (life(**PLAIN, timeout_secs=4), 7, "TIMING-OUT", "TIMED-OUT", 40),
    ],
)
def test_run_that_is_finished_by_hand_ends_as_it_would_have(run, at_secs, before, status, items):
    at = START + at_secs
    assert run.status(at) == before
    done = run.finished(at)
    assert (done.status(at), done.items(at), done.finished_at) == (status, items, at)


def test_resurrected_run_is_finished_by_hand():
    ended = life(**PLAIN, resurrected={"items": 150})
    done = ended.resurrected(START + 20, None).finished(START + 21)
    assert (done.status(START + 21), done.items(START + 21)) == ("SUCCEEDED", 150)


def test_counters_lag_behind_the_items():
    run = life(duration_secs=10, items=100, counter_lag_secs=4)
    assert [run.reported_items(START + t) for t in (2, 9, 10, 12, 14)] == [0, 50, 60, 80, 100]
    assert run.items(START + 10) == 100


def test_initial_total_is_told_until_the_lag_has_passed():
    run = life(duration_secs=10, items=100, counter_lag_secs=4, initial_total=3)
    assert [run.reported_items(START + t) for t in (0, 9, 13.9, 14)] == [0, 3, 3, 100]


def test_a_stopped_run_costs_its_share():
    assert life(duration_secs=10, usage_usd=1.0).usage_usd(START + 60) == 1.0
    assert life(duration_secs=10, usage_usd=1.0, aborted_at=2.5).usage_usd(START + 60) == 0.25


def test_a_resurrected_run_goes_on_with_what_it_had_stored():
    first = life(
        duration_secs=10, items=100, final_status="FAILED", resurrected={"final_status": "SUCCEEDED", "items": 150}
    )
    again = first.resurrected(START + 20, None)
    assert (again.status(START + 10), again.status(START + 20), again.status(START + 30)) == (
        "FAILED",
        "RUNNING",
        "SUCCEEDED",
    )
    assert [again.items(START + at) for at in (10, 20, 25, 30)] == [100, 100, 125, 150]
    assert (again.resurrections, again.created_at) == (1, START)
    assert again.resurrected(START + 40, 3).status(START + 43) == "TIMING-OUT"

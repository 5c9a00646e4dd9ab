"""What is done about a due time: one table of cases, with clocks handed in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorline.schedules.decision import (
    ON_TIME_SECS,
    Cancel,
    Outcome,
    PlaceOrder,
    RecordDecision,
    SchedulePosition,
    decide,
)
from actorline.schedules.schedule import Schedule

HOUR = 3600
NOW = 100 * HOUR + 10  # ten seconds after a due time
DUE, LAST, NEXT = 100 * HOUR, 99 * HOUR, 101 * HOUR
OVERLAPS = ["skip", "queue", "cancel_running", "allow"]


def hourly(overlap="skip", catch_up="none"):
    return Schedule(every_secs=HOUR, overlap=overlap, catch_up=catch_up, document={"actor": "demo/rows"})


def place(**fields):
    """The job of the last due time is in the ledger, and all up to it is decided."""
    return SchedulePosition(**{"rhythm": "", "seen": LAST, "started": LAST, **fields})


def step(schedule, before, now=NOW, *, is_running=False, is_stopping=False):
    return decide(schedule, before, now, is_running=is_running, is_stopping=is_stopping)


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_a_due_time_is_ordered_once_when_the_last_job_has_ended(overlap):
    change = step(hourly(overlap), place(skips=3))
    assert (change.due, change.outcome) == (DUE, Outcome.ORDERED)
    assert change.place == place(seen=DUE, started=DUE, is_ordered=False)
    assert step(hourly(overlap), change.place) == PlaceOrder(DUE)
    assert step(hourly(overlap), change.place.model_copy(update={"is_ordered": True})) is None


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_nothing_is_done_before_the_due_time(overlap):
    assert step(hourly(overlap), place(), DUE - 0.001, is_running=True) is None


@pytest.mark.parametrize(
    ("overlap", "outcome", "after"),
    [
        ("skip", Outcome.SKIPPED, place(seen=DUE, skipped=DUE, skips=1)),
        ("queue", Outcome.WAITING, place(seen=DUE, waiting=DUE)),
        ("cancel_running", Outcome.WAITING, place(seen=DUE, waiting=DUE)),
        ("allow", Outcome.ORDERED, place(seen=DUE, started=DUE, is_ordered=False)),
    ],
)
def test_what_comes_of_a_due_time_while_the_last_job_is_running(overlap, outcome, after):
    assert step(hourly(overlap), place(), is_running=True) == RecordDecision(after, DUE, outcome)


def test_skipped_due_times_are_counted_until_one_is_ordered():
    change = step(hourly(), place(skipped=LAST, skips=1), is_running=True)
    assert change.place == place(seen=DUE, skipped=DUE, skips=2)
    assert step(hourly(), change.place, NEXT).place.skips == 0


@pytest.mark.parametrize("overlap", ["queue", "cancel_running"])
def test_one_due_time_waits_and_a_newer_one_takes_its_place(overlap):
    change = step(hourly(overlap), place(seen=DUE, waiting=DUE), NEXT, is_running=True)
    assert change == RecordDecision(place(seen=NEXT, waiting=NEXT, skipped=DUE, skips=1), NEXT, Outcome.WAITING)


@pytest.mark.parametrize("overlap", ["queue", "cancel_running"])
def test_what_waits_is_ordered_after_the_last_job_however_late(overlap):
    waiting = place(seen=DUE, waiting=DUE)
    change = step(hourly(overlap), waiting, DUE + HOUR - 1)
    assert change == RecordDecision(place(seen=DUE, started=DUE, is_ordered=False), DUE, Outcome.ORDERED)


def test_what_waits_comes_before_a_due_time_that_has_just_come():
    change = step(hourly("queue"), place(seen=DUE, waiting=DUE), NEXT)
    assert (change.due, change.place.seen, change.place.waiting) == (DUE, DUE, None)


def test_the_running_job_is_cancelled_once_and_waited_for():
    waiting = place(seen=DUE, waiting=DUE)
    assert step(hourly("cancel_running"), waiting, is_running=True) == Cancel(LAST)
    assert step(hourly("cancel_running"), waiting, is_running=True, is_stopping=True) is None
    assert step(hourly("queue"), waiting, is_running=True) is None


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_a_decided_order_is_placed_before_anything_else(overlap):
    half = place(seen=DUE, started=DUE, is_ordered=False)
    assert step(hourly(overlap), half, NEXT) == PlaceOrder(DUE)


@pytest.mark.parametrize("catch_up", ["none", "last"])
def test_a_due_time_within_ten_minutes_is_on_time(catch_up):
    change = step(hourly(catch_up=catch_up), place(), DUE + ON_TIME_SECS)
    assert (change.due, change.outcome) == (DUE, Outcome.ORDERED)


def test_due_times_without_a_beat_are_dropped_and_reported():
    change = step(hourly(), place(), DUE + 5 * HOUR + ON_TIME_SECS + 1)
    assert change == RecordDecision(place(seen=DUE + 5 * HOUR, missed=DUE + 5 * HOUR), DUE + 5 * HOUR, Outcome.MISSED)


def test_the_last_missed_due_time_runs_once_if_set():
    change = step(hourly(catch_up="last"), place(), DUE + 5 * HOUR + ON_TIME_SECS + 1)
    assert change.outcome is Outcome.ORDERED
    assert change.place == place(
        seen=DUE + 5 * HOUR, started=DUE + 5 * HOUR, is_ordered=False, missed=DUE + 4 * HOUR
    )  # fmt: skip
    ordered = change.place.model_copy(update={"is_ordered": True})
    assert step(hourly(catch_up="last"), ordered, DUE + 5 * HOUR + ON_TIME_SECS + 2) is None


def test_a_beat_that_was_late_makes_no_burst():
    often = Schedule(every_secs=2, overlap="allow", document={"actor": "demo/rows"})
    change = decide(often, place(seen=1000), 1061, is_running=True, is_stopping=False)
    assert change == RecordDecision(
        place(seen=1060, started=1060, is_ordered=False, missed=1058), 1060, Outcome.ORDERED
    )


def test_nothing_due_before_a_beat_has_seen_the_schedule_is_run():
    begun = SchedulePosition.begin(hourly(catch_up="last"), NOW)
    assert step(hourly(catch_up="last"), begun) is None
    assert step(hourly(catch_up="last"), begun, NEXT).due == NEXT


def test_a_changed_schedule_begins_again_and_keeps_its_job():
    changed = place(waiting=LAST).begin_anew(hourly(), NOW)
    assert (changed.rhythm, changed.seen, changed.started, changed.waiting) == ("every 3600 s", NOW, LAST, LAST)


def test_a_schedule_that_is_switched_off_forgets_what_waits():
    assert place(rhythm="every 3600 s", waiting=LAST).switch_off() == place()


@pytest.mark.parametrize(
    ("fields", "last"),
    [
        ({"started": None}, None),
        ({}, (LAST, Outcome.ORDERED)),
        ({"skipped": DUE}, (DUE, Outcome.SKIPPED)),
        ({"waiting": DUE, "skipped": LAST}, (DUE, Outcome.WAITING)),
        ({"missed": DUE}, (DUE, Outcome.MISSED)),
        ({"refused": LAST}, (LAST, Outcome.REFUSED)),
        ({"started": DUE, "missed": LAST, "skipped": LAST}, (DUE, Outcome.ORDERED)),
    ],
)
def test_the_last_due_time_and_what_became_of_it(fields, last):
    assert place(**fields).last == last


@given(
    st.sampled_from(OVERLAPS),
    st.sampled_from(["none", "last"]),
    st.lists(st.tuples(st.integers(0, 3 * HOUR), st.booleans(), st.booleans()), max_size=40),
)
def test_each_due_time_is_decided_at_most_once_and_in_order(overlap, catch_up, looks):
    """Looks at any distance, with a job that goes on or not, and clocks that go back as well."""
    schedule, now, at, decided, ordered = hourly(overlap, catch_up), NOW, SchedulePosition.begin(hourly(), NOW), [], []
    for wait, is_running, back in looks:
        now += -wait if back else wait
        match decide(schedule, at, now, is_running=is_running, is_stopping=False):
            case RecordDecision(place=place, due=due, outcome=outcome):
                decided += [due] if outcome is not Outcome.ORDERED or at.waiting != due else []
                at = place
            case PlaceOrder(due=due):
                ordered.append(due)
                at = at.model_copy(update={"is_ordered": True})
    assert all(earlier < later for earlier, later in pairwise(decided))
    assert all(earlier < later for earlier, later in pairwise(ordered))
    assert set(ordered) <= set(decided)


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_paused_schedule_lets_due_times_pass(overlap):
    passed = decide(hourly(overlap, "last"), place(), NOW, is_running=False, is_stopping=False, is_paused=True)
    assert passed == RecordDecision(place(seen=DUE, paused=DUE), DUE, Outcome.PAUSED)
    assert passed.place.last == (DUE, Outcome.PAUSED)
    assert decide(hourly(overlap), passed.place, NOW, is_running=False, is_stopping=False, is_paused=True) is None
    assert step(hourly(overlap), passed.place) is None
    assert step(hourly(overlap), passed.place, NEXT).outcome is Outcome.ORDERED


@pytest.mark.parametrize("overlap", ["queue", "cancel_running"])
def test_pause_drops_the_due_time_that_waits(overlap):
    waiting = place(seen=DUE, waiting=DUE)
    passed = decide(hourly(overlap), waiting, NOW, is_running=True, is_stopping=False, is_paused=True)
    assert passed.place == place(seen=DUE, paused=DUE)
    assert step(hourly(overlap), passed.place) is None

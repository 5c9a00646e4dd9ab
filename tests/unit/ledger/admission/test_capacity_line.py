from actorline.ledger.admission.capacity_line import CALLS_MAX, LINE_WAIT_MAX_SECS, CallPace, next_pace


def paces(looks: str) -> list[tuple[int, float]]:
    """Calls and seconds after each look at a new line; before it a start was refused (`r`), or had no room (`f`)."""
    pace, seen = CallPace(), []
    for look in looks:
        pace = next_pace(pace, was_refused=look == "r", is_full=look == "f")
        seen.append((pace.calls, pace.wait_s))
    return seen


def test_room_that_lets_all_in_fills_twice_as_fast_each_second():
    assert paces("-----") == [(8, 1), (16, 1), (32, 1), (CALLS_MAX, 1), (CALLS_MAX, 1)]


def test_account_without_room_is_asked_less_and_less_often():
    assert paces("rrrrrrr") == [(1, 2), (1, 4), (1, 8), (1, 16), (1, LINE_WAIT_MAX_SECS), (1, 30), (1, 30)]


def test_first_success_ends_the_wait_and_growth_begins_again():
    assert paces("rrr--r") == [(1, 2), (1, 4), (1, 8), (2, 1), (4, 1), (1, 2)]


def test_full_account_is_looked_at_again_and_again_by_one_job():
    assert paces("fff-") == [(1, 3), (1, 3), (1, 3), (2, 1)]

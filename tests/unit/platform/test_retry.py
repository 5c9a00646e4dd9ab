from datetime import UTC, datetime

import pytest

from actorline.platform.retry import MAX_ATTEMPTS, next_wait, parse_retry_after

NOW = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempt", "random", "expected"),
    [
        (1, 0.0, 0.5),
        (1, 1.0, 1.0),
        (2, 0.0, 1.0),
        (2, 1.0, 2.0),
        (3, 0.5, 3.0),
        (4, 0.0, 4.0),
        (4, 1.0, 8.0),
        (5, 0.0, None),
    ],
)
def test_waits_double_and_end_after_five_attempts(attempt, random, expected):
    assert next_wait(attempt, elapsed_s=0, retry_after_s=None, random=lambda: random) == expected


@pytest.mark.parametrize(
    ("retry_after_s", "elapsed_s", "expected"),
    [
        (7.0, 0.0, 7.0),  # longer than our own wait: honoured
        (0.0, 0.0, 0.5),  # "at once" doesn't make us hammer
        (20.0, 0.0, 20.0),
        (20.1, 0.0, None),  # too long to hold a slot for
        (None, 19.5, 0.5),
        (None, 19.6, None),  # slow responses have used up the time
    ],
)
def test_retry_after_is_honoured_within_the_span_of_one_call(retry_after_s, elapsed_s, expected):
    assert next_wait(1, elapsed_s=elapsed_s, retry_after_s=retry_after_s, random=lambda: 0.0) == expected


def test_all_waits_of_one_call_stay_below_the_span():
    waits = [next_wait(n, elapsed_s=0, retry_after_s=None, random=lambda: 1.0) for n in range(1, MAX_ATTEMPTS)]

    assert sum(wait for wait in waits if wait) == 15.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("5", 5.0),
        (" 5 ", 5.0),
        ("0", 0.0),
        ("61", 60.0),
        ("99999999999999", 60.0),
        ("9" * 5000, 60.0),
        ("Tue, 24 Nov 2026 08:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 08:00:30 -0000", 30.0),
        ("Tue, 24 Nov 2026 09:00:00 GMT", 60.0),
        ("Tue, 24 Nov 2026 07:59:00 GMT", 0.0),
        ("-1", None),
        ("soon", None),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date_and_capped(value, expected):
    assert parse_retry_after(value, NOW) == expected

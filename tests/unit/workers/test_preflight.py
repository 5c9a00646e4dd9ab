import pytest

from actorline.errors import Unavailable
from workers.preflight import check_clock

NOON = 1_795_435_200.0


@pytest.mark.parametrize(("ours", "words"), [(NOON + 3600, "3,600 s ahead of"), (NOON - 3600, "3,600 s behind")])
def test_a_worker_whose_clock_is_an_hour_off_is_refused(ours, words):
    with pytest.raises(Unavailable) as caught:
        check_clock(NOON, before=ours, after=ours)
    assert words in str(caught.value)
    assert "Nothing was started. Set the clocks" in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [(NOON, NOON), (NOON + 4, NOON + 4), (NOON - 4, NOON - 4), (NOON - 60, NOON + 1), (NOON - 1, NOON + 60)],
)
def test_seconds_do_not_matter_a_slow_reply_is_no_wrong_clock(before, after):
    check_clock(NOON, before=before, after=after)

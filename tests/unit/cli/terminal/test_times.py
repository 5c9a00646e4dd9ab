import pytest

from actorline.cli.terminal.times import duration_text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.9, "0:07"), (754, "12:34"), (3_723, "1:02:03"), (-1, "0:00")]
)
def test_durations_read_like_a_clock(seconds, text):
    assert duration_text(seconds) == text

"""The options that select jobs."""

from datetime import UTC, datetime

import pytest

from actorline.cli.selection import Selection, parse_since
from actorline.errors import Refused


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604_800)])
def test_since_is_a_time_ago(text, seconds):
    assert parse_since(text, now=1_000_000) == 1_000_000 - seconds


def test_since_is_a_moment():
    assert parse_since("2026-11-28T14:00+00:00", now=0) == datetime(2026, 11, 28, 14, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("text", ["", "yesterday", "2 h", "-1h", "99999999d", "2026-13-01", "9999-99"])
def test_other_times_are_refused_with_an_example(text):
    with pytest.raises(Refused, match="2h, 7d or a time"):
        Selection.parse(None, None, None, None, None, text)


def test_unknown_reason_is_refused_with_the_nearest():
    with pytest.raises(Refused, match=r'did you mean "sink-failed"'):
        Selection.parse(None, None, None, None, ["sink-fail"], None)


def test_no_option_selects_nothing_in_particular():
    assert not Selection.parse(None, None, None, None, None, None).is_set
    assert Selection.parse(None, ["team=a"], None, None, None, None).is_set
    assert Selection.parse(None, None, None, None, ["auth"], None).is_set


@pytest.mark.parametrize(
    ("keys", "label", "every"), [(["a"], ["team=a"], False), (["a"], None, True), ([], ["team=a"], True)]
)
def test_jobs_are_meant_in_one_way_only(keys, label, every):
    with pytest.raises(Refused, match="one of these"):
        Selection.parse(None, label, None, None, None, None).check(keys, every=every, hint=", or give --all")


def test_a_command_that_means_no_job_is_refused():
    with pytest.raises(Refused, match="Which jobs"):
        Selection().check([])

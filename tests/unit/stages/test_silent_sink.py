import threading
import time

import pytest

from actorline.stages.silent_sink import SilentSink, _place, soon

QUICK_S = 0.05


def test_folders_of_one_drive_are_one_place_buckets_another():
    assert _place("file:///rows/a/") == _place("file:///rows/b/") != _place("s3://rows/a/")
    assert _place("s3://rows/a/b/") == _place("s3://rows/c/") != _place("s3://other/c/")


def test_call_that_returns_in_time_is_passed_on():
    assert soon("s3://rows/a/", lambda: 7) == 7


@pytest.mark.parametrize("error", [ValueError("no"), TimeoutError("the library's own")])
def test_error_of_the_call_is_the_callers(error):
    def fail() -> None:
        raise error

    with pytest.raises(type(error), match=str(error)):
        soon("s3://rows/a/", fail)


def test_silent_place_is_waited_for_once_until_it_responds():
    release, ended = threading.Event(), threading.Event()

    def hang() -> None:
        release.wait(60)
        ended.set()

    with pytest.raises(SilentSink):
        soon("s3://silent/a/", hang, within_s=QUICK_S)
    began = time.monotonic()
    for job in range(50):
        with pytest.raises(SilentSink):
            soon(f"s3://silent/{job}/", lambda: 7)
    assert time.monotonic() - began < 30
    assert soon("s3://other/a/", lambda: 7) == 7
    release.set()
    assert ended.wait(60)
    for _ in range(6_000):  # the future is done a moment after its call
        try:
            assert soon("s3://silent/a/", lambda: 7) == 7
            break
        except SilentSink:
            time.sleep(0.01)
    else:
        pytest.fail("a place that responds again isn't asked")

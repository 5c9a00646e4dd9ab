import threading
from typing import Any

import pytest

from actorline import shutdown as stopping
from actorline.keep_alive import renewed

SOON = 0.01


class LostError(Exception):
    pass


def lose() -> None:
    raise LostError


@pytest.fixture
def stop(monkeypatch):
    """Asks this process to stop, until the test's end."""
    monkeypatch.setattr(stopping, "_asked", threading.Event())
    return stopping.ask_to_stop


def work_until_the_check_raises(renew: Any) -> None:
    with renewed(renew, SOON) as check:
        while True:
            check()


def wait_until_cut(renew: Any) -> None:
    """As a read does whose connection is closed in another thread."""
    cut = threading.Event()
    with renewed(renew, SOON, cut=cut.set):
        assert cut.wait(60)
        raise OSError("closed")


def test_it_is_renewed_until_the_block_ends():
    renewals = threading.Semaphore(0)
    with renewed(renewals.release, SOON) as check:
        assert renewals.acquire(timeout=60)
        assert renewals.acquire(timeout=60)
        check()
    ended = renewals._value
    threading.Event().wait(5 * SOON)
    assert renewals._value == ended


def test_what_the_renewal_raised_stops_the_block():
    with pytest.raises(LostError):
        work_until_the_check_raises(lose)


def test_a_block_that_only_waits_is_cut_and_told_why():
    with pytest.raises(LostError) as raised:
        wait_until_cut(lose)
    assert isinstance(raised.value.__cause__, OSError)


def test_what_breaks_by_itself_is_told_as_it_is():
    with pytest.raises(OSError, match="disk"), renewed(lambda: None, SOON):
        raise OSError("disk")


def test_work_is_given_back_when_the_process_must_stop(stop):
    with renewed(lambda: None, 60) as check:
        check()
        stop()
        with pytest.raises(stopping.GivenBack):
            check()


def test_work_that_only_waits_is_cut_when_the_process_is_to_stop(stop):
    stop()
    with pytest.raises(stopping.GivenBack):
        wait_until_cut(lambda: None)

"""What Ctrl-C counts for."""

import os
import signal

import pytest
import redis

from actorline.cli.terminal.progress import ONE_WISH_SECS, Interrupts, lost_redis


def test_signals_at_once_are_one_wish_a_later_one_the_second(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("actorline.cli.terminal.progress.time.monotonic", lambda: clock[0])
    with Interrupts() as interrupts:
        assert interrupts.count == 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
        assert interrupts.count == 1
        clock[0] += 2 * ONE_WISH_SECS
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.count == 2


def test_what_a_signal_meant_before_is_restored():
    before = signal.getsignal(signal.SIGINT)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("keys", "command", "way"),
    [
        (["nightly"], "actorline", "See it again: actorline show nightly"),
        ([], "actorline", "See it again: actorline jobs"),
        (["demo-1"], "ACTORLINE_HOME=/h/demo actorline", "See it again: ACTORLINE_HOME=/h/demo actorline show demo-1"),
    ],
)
def test_lost_redis_says_a_command_that_leads_back(keys, command, way):
    assert str(lost_redis(keys, [], redis.ConnectionError(), command)).endswith(way)

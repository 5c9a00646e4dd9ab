"""The connection to Redis."""

from types import SimpleNamespace

import pytest
from redis.utils import HIREDIS_AVAILABLE

from actorline.ledger import store
from actorline.ledger.store import CLOCK_KEPT_SECS, CLOCK_TRIP_SECS, RedisClock, connect


def test_replies_of_redis_are_parsed_in_c():
    pool = connect("redis://127.0.0.1:1").connection_pool
    parser = pool.connection_class(**pool.connection_kwargs)._parser
    assert HIREDIS_AVAILABLE
    assert "Hiredis" in type(parser).__name__


@pytest.fixture
def machine(monkeypatch):
    """A Redis whose clock is an hour ahead, and the seconds that pass here; `trip_s`: how long its reply takes."""
    here = SimpleNamespace(secs=100.0, trip_s=0.001, asked=0)

    def time() -> tuple[int, int]:
        here.asked += 1
        seconds = here.secs + 3600
        here.secs += here.trip_s
        return int(seconds), int(seconds % 1 * 1_000_000)

    here.clock = RedisClock(SimpleNamespace(time=time))
    monkeypatch.setattr(store, "_steady_secs", lambda: here.secs)
    return here


def test_redis_is_asked_for_its_time_once_a_second(machine):
    for _ in range(20):
        assert machine.clock.now() == pytest.approx(machine.secs + 3600, abs=0.002)
        machine.secs += CLOCK_KEPT_SECS / 10
    assert machine.asked == 2


def test_time_that_took_long_to_come_is_not_kept(machine):
    machine.trip_s = 2 * CLOCK_TRIP_SECS
    for _ in range(3):
        machine.clock.now()
    assert machine.asked == 3


def test_process_that_was_frozen_asks_again(machine):
    machine.clock.now()
    machine.secs += 7200
    assert machine.clock.now() == pytest.approx(machine.secs + 3600, abs=0.002)
    assert machine.asked == 2

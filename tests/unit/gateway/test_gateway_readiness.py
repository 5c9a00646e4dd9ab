from typing import Any

import pytest
import redis

from actorline.gateway import readiness
from actorline.gateway.readiness import FRESH_SECS, Readiness


class Ledger:
    redis = None


def test_redis_is_asked_once_a_second_however_many_ask_us(monkeypatch):
    asked, clock, ledger = [], [100.0], Ledger()

    def check(_: Any) -> None:
        asked.append(clock[0])
        if len(asked) == 2:
            raise redis.ConnectionError("gone")

    monkeypatch.setattr(readiness, "check_server", check)
    monkeypatch.setattr(readiness.time, "monotonic", lambda: clock[0])
    ready = Readiness(ledger)  # type: ignore[arg-type]
    for _ in range(50):
        ready.check()
    clock[0] += FRESH_SECS
    for _ in range(50):
        with pytest.raises(redis.ConnectionError):
            ready.check()
    clock[0] += FRESH_SECS
    ready.check()
    assert asked == [100.0, 101.0, 102.0]

import asyncio
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

    async def ask_often(ready: Readiness) -> set[type]:
        return {
            type(each) for each in await asyncio.gather(*(ready.check() for _ in range(50)), return_exceptions=True)
        }

    async def ask_for_three_seconds() -> list[set[type]]:
        ready, told = Readiness(ledger), []  # type: ignore[arg-type]
        for _ in range(3):
            told.append(await ask_often(ready) | await ask_often(ready))
            clock[0] += FRESH_SECS
        return told

    monkeypatch.setattr(readiness, "check_server", check)
    monkeypatch.setattr(readiness.time, "monotonic", lambda: clock[0])
    assert asyncio.run(ask_for_three_seconds()) == [{type(None)}, {redis.ConnectionError}, {type(None)}]
    assert asked == [100.0, 101.0, 102.0]


def test_a_look_that_fails_otherwise_is_no_answer_for_the_next(monkeypatch):
    def check(_: Any) -> None:
        raise LookupError

    monkeypatch.setattr(readiness, "check_server", check)
    with pytest.raises(LookupError):
        asyncio.run(Readiness(Ledger()).check())  # type: ignore[arg-type]

import asyncio
from collections.abc import Callable

import pytest
import redis

from actorline.gateway import readiness
from actorline.gateway.readiness import READINESS_FRESH_SECS, Readiness


@pytest.fixture
def looks_like(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """`check`: what comes of a look at Redis."""
    return lambda check: monkeypatch.setattr(readiness, "check_server", lambda _: check())


def test_redis_is_asked_once_a_second_however_many_ask_us(monkeypatch, looks_like):
    asked, clock = [], [100.0]

    def check() -> None:
        asked.append(clock[0])
        if len(asked) == 2:
            raise redis.ConnectionError("gone")

    async def ask_often(ready: Readiness) -> set[type]:
        return {
            type(each) for each in await asyncio.gather(*(ready.check() for _ in range(50)), return_exceptions=True)
        }

    async def ask_for_three_seconds() -> list[set[type]]:
        ready, states = Readiness(None), []
        for _ in range(3):
            states.append(await ask_often(ready) | await ask_often(ready))
            clock[0] += READINESS_FRESH_SECS
        return states

    looks_like(check)
    monkeypatch.setattr(readiness.time, "monotonic", lambda: clock[0])
    assert asyncio.run(ask_for_three_seconds()) == [{type(None)}, {redis.ConnectionError}, {type(None)}]
    assert asked == [100.0, 101.0, 102.0]


def test_a_look_that_fails_otherwise_is_no_answer_for_the_next(looks_like):
    def check() -> None:
        raise LookupError

    looks_like(check)
    with pytest.raises(LookupError):
        asyncio.run(Readiness(None).check())

"""A clock that only the test moves. It lies in Redis, where the ledger's scripts read it instead of `TIME`."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

SECOND: Final = 1_000_000


@dataclass(frozen=True)
class Clock:
    """`redis`: a client that nobody holds. `namespace`: whose leases lose life when time passes."""

    redis: Any
    namespace: str

    @property
    def name(self) -> str:
        return f"{self.namespace}:clock"

    def begin(self, at: float) -> None:
        self.redis.set(self.name, int(at * SECOND))

    def now(self) -> float:
        """Unix seconds. No two looks return the same, as with Redis's own clock."""
        return self.redis.incr(self.name) / SECOND

    def advance(self, seconds: float) -> None:
        self.redis.incrby(self.name, int(seconds * SECOND))
        for lease in self.redis.keys(f"{self.namespace}:lease:*"):
            left_ms = self.redis.pttl(lease) - int(seconds * 1000)
            self.redis.pexpire(lease, max(left_ms, 0))

    def in_lua(self, script: str) -> str:
        """A ledger's script that reads this clock."""
        look = (
            f"(function() local us = redis.call('INCR', '{self.name}'); "
            f"return {{math.floor(us / {SECOND}), us % {SECOND}}} end)()"
        )
        return script.replace("redis.call('TIME')", look)


@dataclass(frozen=True)
class VirtualTime:
    """What stands in for the module `time` where the product reads a clock of its own, or sleeps."""

    clock: Clock

    def time(self) -> float:
        return self.clock.now()

    def clock_gettime(self, _: int) -> float:
        return self.clock.now()

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)


def virtual_datetime(clock: Clock) -> type[datetime]:
    """What stands in for `datetime.datetime` where the product asks it for the time."""

    class VirtualDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(clock.now(), tz or UTC)

    return VirtualDatetime

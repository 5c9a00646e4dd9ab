"""Whether a server is still the one that its sentinels want as the primary; asked after a write that must not be lost.

During a handover the old primary keeps a replica for a second or two after another one was promoted. That replica
confirms what is written there, and forgets it as soon as it follows the new primary. So a replica's confirmation proves
something only if no successor was being chosen when it came.
"""

import time
from collections.abc import Sequence
from typing import Any, Final, Self

import redis
from redis.sentinel import SentinelConnectionPool

from actorline.redis_connection.one_connection import Address

AWAY_SECS: Final = 5.0  # a sentinel that didn't respond isn't asked before, as each time may take a second
REPLACED: Final = "failover_in_progress"


class Succession:
    """What the sentinels say. Threads may share one."""

    def __init__(self, sentinels: Sequence[Any], master: str) -> None:
        """Remember clients of the sentinels, and the name that they know the servers by."""
        self._sentinels = tuple(sentinels)
        self._master = master
        self._away: dict[int, float] = {}

    @classmethod
    def of(cls, client: Any) -> Self | None:
        """Return the succession of the server that a client reaches; None if it isn't found by sentinels."""
        pool = client.connection_pool
        if not isinstance(pool, SentinelConnectionPool):
            return None
        return cls(pool.sentinel_manager.sentinels, pool.service_name)

    def objection(self, server: Address | None) -> str | None:
        """Return why a replica's confirmation for this server proves nothing; None if it does.

        A majority must respond: a failover that others have agreed on is known to one of them, sooner or later.
        """
        views = [view for number in range(len(self._sentinels)) if (view := self._view(number))]
        if len(views) <= len(self._sentinels) // 2:
            return f"Only {len(views)} of {len(self._sentinels)} sentinels respond"
        newest = max(views, key=_config_epoch)
        if _address(newest) != server:
            return "Redis was handed over to another server"
        if any(_address(view) == server and REPLACED in view["flags"] for view in views):
            return "Redis is being handed over to another server"
        return None

    def _view(self, number: int) -> dict[str, Any] | None:
        """Return what one sentinel says of the primary; None if it says nothing."""
        if time.monotonic() - self._away.get(number, float("-inf")) < AWAY_SECS:
            return None
        try:
            known: dict[str, dict[str, Any]] = self._sentinels[number].sentinel_masters()
        except redis.RedisError:
            self._away[number] = time.monotonic()
            return None
        return known.get(self._master)


def _config_epoch(view: dict[str, Any]) -> int:
    """Return the number of the failover that a view is of: a later one's is higher."""
    return int(view["config-epoch"])


def _address(view: dict[str, Any]) -> Address:
    return view["ip"], view["port"]

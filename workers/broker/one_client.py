"""One Redis client for the life of a kombu channel's pool.

kombu makes a new one for every command, and each copies redis-py's table of 300 reply parsers: 11 ms of a small job's
CPU. A client may be shared by threads: it takes a connection of the pool for each command.
"""

from typing import Any

import redis
from kombu.transport import redis as transport

from actorline.redis_connection.interruptible import InterruptiblePacker
from actorline.redis_connection.quick import QuickPool


class Channel(transport.Channel):
    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        """Return the kept client; the asynchronous one, made once by kombu itself, has a connection of its own."""
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]  # the stubs lack it
        kept = self._kept
        if kept is None or kept.connection_pool is not self.pool:  # kombu has dropped the pool, after a fork perhaps
            self._kept = kept = super()._create_client()  # type: ignore[misc]
        return kept

    def _get_pool(self, asynchronous: bool = False) -> Any:
        """Return a quick pool, but kombu's for the wait for messages and for sentinels."""
        pool = super()._get_pool(asynchronous)  # type: ignore[misc]  # the stubs lack it
        return QuickPool(**self._connparams()) if type(pool) is redis.ConnectionPool else pool

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """Return what every pool's connections are made with, also those to a primary that sentinels name."""
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]  # the stubs lack it
        return {**params, "command_packer": InterruptiblePacker()}

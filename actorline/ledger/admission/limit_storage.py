"""Where `limits` keeps what it counts."""

from limits.storage import RedisStorage

from actorline.ledger.ledger import Ledger


class LimitStorage(RedisStorage):
    """Counts under the ledger's own connections and names, and by Redis's clock: a worker that is ahead would otherwise
    close the window for all others for as long.
    """

    def __init__(self, ledger: Ledger, kind: str) -> None:
        self._now = ledger.now
        super().__init__("redis://", connection_pool=ledger.redis.connection_pool, key_prefix=ledger.name(kind))

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        window = self.prefixed_key(key)
        return bool(self.lua_acquire_moving_window([window], [self._now(), limit, expiry, amount]))

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now = self._now()
        oldest, taken = self.lua_moving_window([self.prefixed_key(key)], [now - expiry, limit]) or (now, 0)
        return float(oldest), taken

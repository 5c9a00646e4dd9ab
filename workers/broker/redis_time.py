"""How long a message has been held is told by Redis's clock.

kombu goes by the worker's: one that is ahead would give back, every two seconds, whatever the others hold.
"""

from contextlib import suppress
from typing import Any, Final

from kombu.transport import redis as transport
from redis.commands.core import Script

from actorline.redis_connection import quick
from workers.broker import held_messages

ALL: Final = -1
# KEYS  1 zset  delivery tag -> unix seconds when it was last renewed
# ARGV  1 seconds after which a message is nobody's  2 most tags, or -1
# Returns such tags
_NOBODYS: Final = Script(
    quick.ANY_CLIENT,
    b"""
local now = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], 0, now[1] - ARGV[1], 'LIMIT', 0, ARGV[2])
""",
)
# KEYS  1 zset  delivery tag -> unix seconds when it was last renewed
# ARGV  1.. tags
_RENEW: Final = Script(
    quick.ANY_CLIENT,
    b"""
local now = redis.call('TIME')
for _, tag in ipairs(ARGV) do redis.call('ZADD', KEYS[1], 'XX', now[1] + now[2] / 1000000, tag) end
""",
)


class QoS(held_messages.QoS):
    _vrestore_count: int
    unacked_mutex_key: Any
    unacked_mutex_expire: Any
    visibility_timeout: Any

    def restore_visible(self, start: int = 0, num: int | None = None, interval: int = 10) -> None:
        """Give back what nobody has renewed for the visibility timeout."""
        del start
        self._vrestore_count += 1
        if (self._vrestore_count - 1) % (interval or 1):
            return
        with (
            self.channel.conn_or_acquire() as client,
            suppress(transport.MutexHeld),
            transport.Mutex(client, self.unacked_mutex_key, self.unacked_mutex_expire),
        ):
            for tag in self.channel.run_script(
                _NOBODYS, [self.unacked_index_key], [self.visibility_timeout, num or ALL]
            ):
                self.restore_by_tag(tag, client)

    def renew(self, tags: list[str]) -> None:
        """Note that these messages are still held."""
        self.channel.run_script(_RENEW, [self.unacked_index_key], tags)

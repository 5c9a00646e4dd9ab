"""What a worker has taken and not acknowledged yet, noted in Redis, from where it comes back if the worker dies.

Acknowledged messages are struck off together with the next one that is noted, which in a busy worker is at once, or
else `STRIKE_OFF_SECS` later: a command less for each message. What a crash or Redis prevents meanwhile comes back after
the visibility timeout, and each task of ours may come twice. kombu would hold a message whose acknowledgement failed
for as long as the channel lives, renewed by our heartbeat so that nobody else got it, and each takes a place of the
prefetch count: a worker whose acknowledgements failed often enough would take no more messages.
"""

from typing import Any, Final

import redis
import structlog
from kombu.asynchronous import get_event_loop
from kombu.transport import redis as transport
from kombu.utils.json import dumps
from redis.commands.core import Script

from actorline.redis_connection import quick
from actorline.shutdown import is_stopping

STRIKE_OFF_SECS: Final = 0.01
# KEYS  1 zset  delivery tag -> unix seconds when it was taken  2 hash  delivery tag -> message
# ARGV  1 delivery tag, or '' if only old ones are struck off  2 message  3... acknowledged tags
_NOTE: Final = Script(
    quick.ANY_CLIENT,
    b"""
if ARGV[3] then
  redis.call('ZREM', KEYS[1], unpack(ARGV, 3))
  redis.call('HDEL', KEYS[2], unpack(ARGV, 3))
end
if ARGV[1] ~= '' then
  local now = redis.call('TIME')
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  redis.call('ZADD', KEYS[1], now[1] + now[2] / 1000000, ARGV[1])
end
""",
)

log = structlog.get_logger(__name__)


class QoS(transport.QoS):
    channel: Any
    _delivered: Any  # the stubs lack both
    _dirty: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._acknowledged: list[str] = []
        self._is_planned = False

    def held(self) -> set[str]:
        """Return the tags of the messages that are neither acknowledged nor rejected."""
        return set(self._delivered) - set(self._dirty)

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note a message that was taken, in the form in which kombu gives it back."""
        delivery = message.delivery_info
        stored = dumps([message._raw, delivery["exchange"], delivery["routing_key"]])  # noqa: SLF001 - as kombu does
        self._note(delivery_tag, stored)
        super(transport.QoS, self).append(message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Let a message go, and strike it off soon."""
        super(transport.QoS, self).ack(delivery_tag)
        self._acknowledged.append(delivery_tag)
        loop = get_event_loop()
        if loop is None or is_stopping():
            self.strike_off()
        elif not self._is_planned:
            self._is_planned = True
            loop.call_later(STRIKE_OFF_SECS, self.strike_off)

    def strike_off(self) -> None:
        """Strike off what is acknowledged; what can't be struck off comes back."""
        self._is_planned = False
        if not self._acknowledged:
            return
        try:
            self._note("", "")
        except (redis.RedisError, OSError) as error:
            log.warning("not_acknowledged", error=type(error).__name__)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        super(transport.QoS, self).ack(delivery_tag)  # let go, also if Redis doesn't learn of it
        super().reject(delivery_tag, requeue)

    def _note(self, delivery_tag: str, stored: str) -> None:
        acknowledged, self._acknowledged = self._acknowledged, []
        keys = [self.unacked_index_key, self.unacked_key]
        self.channel.run_script(_NOTE, keys, [delivery_tag, stored, *acknowledged])

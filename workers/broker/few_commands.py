"""A kombu channel that sends one command for what kombu sends as a transaction of four to six.

Of a small job's commands these were 24, and 18 of each look of upkeep. A script is as atomic, and like a transaction it
does nothing at all where Redis is full.
"""

from typing import Any, Final

from kombu.transport import redis as transport
from kombu.utils.json import dumps
from redis.commands.core import Script

from workers.broker import one_client

_ANY: Any = None  # each call names its client
# KEYS  1 zset  delivery tag -> unix seconds when it was taken  2 hash  delivery tag -> message
_NOTE: Final = Script(
    _ANY,
    b"""
local now = redis.call('TIME')
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[1], now[1] + now[2] / 1000000, ARGV[1])
""",
)
_STRIKE_OFF: Final = Script(
    _ANY,
    b"""
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
""",
)
# KEYS  a queue's lists, one for each priority
_SIZE: Final = Script(
    _ANY,
    b"""
local messages = 0
for _, name in ipairs(KEYS) do messages = messages + redis.call('LLEN', name) end
return messages
""",
)


class QoS(transport.QoS):
    """What a worker has taken and not acknowledged yet."""

    channel: Any

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note a message that was taken, in the form in which kombu gives it back."""
        delivery = message.delivery_info
        stored = dumps([message._raw, delivery["exchange"], delivery["routing_key"]])  # noqa: SLF001 - as kombu does
        self.channel.run_script(_NOTE, self._keys, [delivery_tag, stored])
        super(transport.QoS, self).append(message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        self.channel.run_script(_STRIKE_OFF, self._keys, [delivery_tag])
        super(transport.QoS, self).ack(delivery_tag)

    @property
    def _keys(self) -> list[str]:
        return [self.unacked_index_key, self.unacked_key]


class Channel(one_client.Channel):
    QoS: Any = QoS
    _q_for_pri: Any  # the stubs lack it

    def run_script(self, script: Script, keys: list[str], args: list[Any]) -> Any:
        with self.conn_or_acquire() as client:
            return script(keys, args, client)

    def _size(self, queue: str) -> int:
        lists = [self._q_for_pri(queue, priority) for priority in self.priority_steps]
        return int(self.run_script(_SIZE, lists, []))

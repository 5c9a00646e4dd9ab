"""A kombu channel that sends one command for what kombu sends as a transaction of four to six.

They were 24 of a small job's commands, and 18 of those of each round of upkeep. A script is as atomic, and like a
transaction it does nothing at all where Redis is full.
"""

from typing import Any, Final

from redis.commands.core import Script

from actorline.redis_connection import quick
from workers.broker import held_messages, one_client

# KEYS  a queue's lists, one for each priority
_SIZE: Final = Script(
    quick.ANY_CLIENT,
    b"""
local messages = 0
for _, name in ipairs(KEYS) do messages = messages + redis.call('LLEN', name) end
return messages
""",
)


class Channel(one_client.Channel):
    QoS: Any = held_messages.QoS
    _q_for_pri: Any  # the stubs lack it
    _qos: held_messages.QoS | None

    def run_script(self, script: Script, keys: list[str], args: list[Any]) -> Any:
        with self.conn_or_acquire() as client:
            return quick.run_script(client, script, keys, args)

    def close(self) -> None:
        """Close the channel; what is acknowledged is struck off before."""
        if self._qos is not None:
            self._qos.strike_off()
        super().close()

    def _size(self, queue: str) -> int:
        lists = [self._q_for_pri(queue, priority) for priority in self.priority_steps]
        return int(self.run_script(_SIZE, lists, []))

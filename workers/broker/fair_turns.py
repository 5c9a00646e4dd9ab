"""The order in which a worker takes messages: whatever waits has its turn.

kombu empties a queue's lists in order of priority. Orders have priority 0 and starts what the document says, so of
thousands that came at once none was started before all were registered: a minute later. Here each turn begins with
another list: the first queue's urgent messages, the next queue's, then those of lower priority. A turn that finds
nothing where it begins continues by priority.
"""

from bisect import bisect
from typing import Any, Final

from kombu.transport import redis as transport

from actorline.redis_connection.primary import PrimaryConnection, PrimaryTLSConnection
from workers.broker import few_commands, redis_time

STEPS: Final = (0, 3, 6, 9)  # kombu's: a priority between two of them counts as the more urgent one


class Channel(few_commands.Channel):
    QoS = redis_time.QoS
    priority_steps: Any = STEPS
    queue_order_strategy = "priority"  # the order of the queues changes with the turn, not with what came last
    _queue_cycle: Any
    _turn = 0

    def _brpop_start(self, timeout: Any = None) -> None:
        """Ask for the next message, from the list whose turn it is."""
        queues = self._queue_cycle.items
        self._turn = (self._turn + 1) % (len(queues) + 1)
        if self._turn:
            queues.append(queues.pop(0))
        self.priority_steps = STEPS if self._turn else (*STEPS[1:], STEPS[0])
        super()._brpop_start(timeout)  # type: ignore[misc]  # the stubs lack it

    def priority(self, n: int) -> int:
        """Return the step that a priority belongs to, whosever turn it is."""
        return STEPS[bisect(STEPS, n) - 1]


class SentinelChannel(Channel, transport.SentinelChannel):
    """The same where sentinels name the primary, which it leaves as soon as that is out of service."""

    connection_class = PrimaryConnection
    connection_class_ssl = PrimaryTLSConnection


def use_fair_turns() -> None:
    """Let each connection that is made from now on have such channels."""
    transport.Transport.Channel = Channel
    transport.SentinelTransport.Channel = SentinelChannel

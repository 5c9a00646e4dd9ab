"""Liveness: a live worker keeps renewing its messages, so the visibility timeout can be short.

kombu gives a dead worker's messages back only after the visibility timeout, counted from when they were taken; without
this a long download or a countdown would run twice. Measured with threads and prefork: never doubled.
"""

from typing import Any, Final

import redis
import structlog

from workers.timer_step import TimerStep

TAGS_A_COMMAND: Final = 1_000  # delivery tags per command
TIMES_A_TIMEOUT: Final = 4  # a busy machine may hold up two or three of them

log = structlog.get_logger(__name__)


class Heartbeat(TimerStep):
    """Renews the messages that this consumer holds."""

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        timeout_s = consumer.app.conf.broker_transport_options["visibility_timeout"]
        self.every_s = timeout_s / TIMES_A_TIMEOUT

    def tick(self, consumer: Any) -> None:
        channel = consumer.task_consumer.channel
        held = list(channel.qos.held())
        try:
            for start in range(0, len(held), TAGS_A_COMMAND):
                channel.qos.renew(held[start : start + TAGS_A_COMMAND])
        except redis.RedisError as error:
            log.warning("heartbeat_missed", error=type(error).__name__)

"""Each worker records its presence, so that doctor, metrics and terminal can report a frozen or missing kind."""

from typing import Any

import redis
import structlog

from actorline import __version__
from actorline.ledger.queries.fleet import note_worker
from config.queues import kinds_of
from tasks.shell.environment import ledger, settings
from workers.timer_step import TimerStep

log = structlog.get_logger(__name__)


class Presence(TimerStep):
    """Records every few seconds which kinds of queue this worker consumes."""

    every_s = 5.0

    def start(self, consumer: Any) -> None:
        super().start(consumer)
        self.tick(consumer)

    def tick(self, consumer: Any) -> None:
        names = {queue.name for queue in consumer.task_consumer.queues}
        try:
            kinds = kinds_of(names, settings().namespace)
            note_worker(ledger(), consumer.hostname, __version__, kinds)
        except redis.RedisError as error:
            log.warning("presence_not_noted", error=type(error).__name__)

"""Upkeep is started by every worker's own timer under a lock: neither a dead beat nor a lost message stops it."""

from typing import Any, Final

import redis
import structlog
from celery import bootsteps
from kombu.exceptions import OperationalError

from tasks.environment import ledger

EVERY_SECS: Final = 1.0
EXPIRES_SECS: Final = 10.0  # an upkeep that waited longer in the queue has been followed by others

log = structlog.get_logger(__name__)


class UpkeepTimer(bootsteps.StartStopStep):
    """Sends `actorline.upkeep` once in EVERY_SECS for all workers together."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        self._timer = consumer.timer.call_repeatedly(EVERY_SECS, self._tick, (consumer,))

    def stop(self, consumer: Any) -> None:
        del consumer
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _tick(self, consumer: Any) -> None:
        try:
            if ledger().redis.set(ledger().name("upkeep"), 1, nx=True, px=int(EVERY_SECS * 900)):
                consumer.app.send_task("actorline.upkeep", expires=EXPIRES_SECS, retry=False)
        except (redis.RedisError, OperationalError) as error:
            log.warning("upkeep_not_sent", error=type(error).__name__)

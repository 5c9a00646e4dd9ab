"""Every worker's own timer starts upkeep, under a lock: neither a dead beat nor a lost message stops it."""

from typing import Any, Final

import redis
import structlog
from kombu.exceptions import OperationalError

from tasks.shell.environment import ledger
from workers.timer_step import TimerStep

EXPIRES_SECS: Final = 10.0  # others follow an upkeep that waited longer in the queue

log = structlog.get_logger(__name__)


class UpkeepTimer(TimerStep):
    """Sends `actorline.upkeep` once a second for all workers together."""

    every_s = 1.0

    def tick(self, consumer: Any) -> None:
        try:
            if ledger().agenda.claim_upkeep(int(self.every_s * 900)):
                consumer.app.send_task("actorline.upkeep", expires=EXPIRES_SECS, retry=False)
        except (redis.RedisError, OperationalError) as error:
            log.warning("upkeep_not_sent", error=type(error).__name__)

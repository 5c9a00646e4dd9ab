"""When a message is due, and when it expires, is said and read by Redis's clock.

Celery says it by the sender's clock and reads it by the receiver's. If these differ by 30 s, a poll that is due in 5 s
comes at once or after 35 s, and each upkeep of a sender that is behind has expired when it arrives.
"""

import time
from datetime import datetime, timedelta
from typing import Any

import redis
import structlog
from celery.worker.request import Request

from tasks.shell.environment import ledger

TIMES = ("eta", "expires")

log = structlog.get_logger(__name__)


def say_by_redis(headers: dict[str, Any], **_: Any) -> None:
    """Turn the times of a message that this process sends into Redis's."""
    for name in TIMES:
        if headers.get(name):
            headers[name] = (datetime.fromisoformat(headers[name]) - clock_ahead()).isoformat()


class TimedRequest(Request):
    """A message whose times were Redis's, and are this process's from here on."""

    def __init__(self, message: Any, **options: Any) -> None:
        super().__init__(message, **options)
        self._eta: datetime | None
        self._expires: datetime | None
        if self._eta or self._expires:
            ahead = clock_ahead()
            self._eta = self._eta and self._eta + ahead
            self._expires = self._expires and self._expires + ahead


def clock_ahead() -> timedelta:
    """Return what this machine's clock is ahead of Redis's; nothing while Redis doesn't say."""
    try:
        return timedelta(seconds=time.time() - ledger().now())
    except redis.RedisError as error:
        log.warning("clock_not_compared", error=type(error).__name__)
        return timedelta()

"""Beat: Celery's process for schedules, which orders the job of each due time once, however many beats run."""

import os
import secrets
import socket
from collections.abc import Mapping
from functools import cache
from typing import Any

import redis
import structlog
from celery.apps.beat import Beat
from celery.beat import Scheduler
from kombu.exceptions import OperationalError

from actorline.identifiers import JobKey
from actorline.messages import send_upkeep
from actorline.schedules.keeper import Keeper
from actorline.schedules.schedule import Schedule
from actorline.schedules.schedules_file import find_schedules, load_schedules
from actorline.settings import Settings
from tasks.shell.environment import ledger, settings
from workers.app import app

log = structlog.get_logger(__name__)


class DueScheduler(Scheduler):
    """Uses the book in Redis instead of Celery's own heap: all beats share it, and it outlives each of them.

    Celery's heap waits by this machine's clock, and is lost with the process.
    """

    def setup_schedule(self) -> None:
        beat = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._keeper = Keeper(schedules(), ledger(), settings(), beat=beat, wake=self._wake)

    def tick(self, *_: Any, **__: Any) -> float:
        return self._keeper.look()

    def close(self) -> None:
        self._keeper.leave()
        super().close()

    def _wake(self, key: JobKey) -> None:
        try:
            send_upkeep(self.app, settings().namespace, key)
        except (OperationalError, redis.RedisError, OSError) as error:
            log.warning("upkeep_not_sent", job_key=key, error=type(error).__name__)


@cache
def schedules() -> Mapping[str, Schedule]:
    """Return the schedules as the file has them at this process's start. Raises InvalidSchedules."""
    file = find_schedules(settings())
    return load_schedules(file) if file else {}


def run_beat(settings: Settings) -> None:
    """Run until SIGTERM. Raises InvalidSchedules for an invalid schedules file."""
    schedules()
    Beat(app=app, loglevel=settings.log_level, quiet=True).run()

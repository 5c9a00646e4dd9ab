"""Tells the workers of jobs that need care, behind the requests: nobody who orders waits for that."""

from typing import Final

import structlog

from actorline.gateway.grouping import Groups
from actorline.jobs.messages import make_sender, send_upkeep
from actorline.settings import Settings

JOBS_A_MESSAGE: Final = 10  # each holds the worker's slot for some milliseconds

GATHER_SECS: Final = 0.03  # a message takes as long to make as an order to take; a job takes seconds anyway

log = structlog.get_logger(__name__)


class Starter:
    """Sends in its own thread. A message that is lost costs seconds: upkeep finds the job in the ledger."""

    def __init__(self, settings: Settings) -> None:
        self._namespace = settings.namespace
        self._sender = make_sender(settings)
        self._groups: Groups[str] = Groups("starter", self._send, most=JOBS_A_MESSAGE, gather_s=GATHER_SECS)

    def start(self, key: str) -> None:
        """Let a worker look at the job now."""
        self._groups.put(key)

    def close(self) -> None:
        self._groups.close()
        self._sender.close()

    def _send(self, keys: list[str]) -> None:
        try:
            send_upkeep(self._sender, self._namespace, *keys)
        except Exception as error:  # noqa: BLE001 - whatever it is, upkeep finds the jobs, and the thread must live
            log.warning("message_not_sent", job_keys=keys, error=type(error).__name__)

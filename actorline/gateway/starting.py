"""Tells the workers of jobs that need care, behind the requests: nobody who orders waits for that."""

import queue
import threading
from typing import Final

import structlog
from celery import Celery

from actorline.jobs.messages import make_sender, send_upkeep
from actorline.settings import Settings

MOST_AT_ONCE: Final = 10  # jobs a message: a worker's slot is held for some milliseconds each

log = structlog.get_logger(__name__)


class Starter:
    """One thread that sends, with all that came while it was sending in few messages: one message takes as long as an
    order. A message that is lost costs seconds: upkeep finds the job in the ledger.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="starter", daemon=True)
        self._thread.start()

    def start(self, key: str) -> None:
        """Let a worker look at the job now."""
        self._keys.put(key)

    def close(self) -> None:
        """Send what is left, at most for some seconds."""
        self._keys.put(None)
        self._thread.join(5)

    def _run(self) -> None:
        sender = make_sender(self._settings)
        while (key := self._keys.get()) is not None:
            keys = [key]
            while len(keys) < MOST_AT_ONCE and not self._keys.empty():
                following = self._keys.get()
                if following is None:
                    self._keys.put(None)
                    break
                keys.append(following)
            self._send(sender, keys)
        sender.close()

    def _send(self, sender: Celery, keys: list[str]) -> None:
        try:
            send_upkeep(sender, self._settings.namespace, *keys)
        except sender.connection_for_write().connection_errors as error:
            log.warning("message_not_sent", job_keys=keys, error=type(error).__name__)

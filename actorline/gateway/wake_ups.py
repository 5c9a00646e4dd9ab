"""Tells the workers what needs care by now, behind the requests: nobody who orders waits for that."""

from typing import Final

import structlog

from actorline.gateway.batching import Batcher
from actorline.messages import make_sender, send_hook, send_upkeep
from actorline.settings import Settings
from actorline.webhooks.events import HookRun

JOBS_A_MESSAGE: Final = 10  # each holds the worker's slot for some milliseconds
GATHER_SECS: Final = 0.03  # a message takes as long to make as an order to take; a job takes seconds anyway

log = structlog.get_logger(__name__)


class Starter:
    """Sends in its own thread. A message that is lost costs seconds: upkeep finds what is in the ledger."""

    def __init__(self, settings: Settings) -> None:
        self._namespace = settings.namespace
        self._sender = make_sender(settings)
        self._groups: Batcher[str | HookRun] = Batcher("starter", self._send, most=JOBS_A_MESSAGE, gather_s=GATHER_SECS)

    def start(self, key: str) -> None:
        """Let a worker look at the job now."""
        self._groups.put(key)

    def look_at(self, run: HookRun) -> None:
        """Let a worker see whether the run is to be collected."""
        self._groups.put(run)

    def close(self) -> None:
        self._groups.close()
        self._sender.close()

    def _send(self, things: list[str | HookRun]) -> None:
        keys = [thing for thing in things if isinstance(thing, str)]
        try:
            if keys:
                send_upkeep(self._sender, self._namespace, *keys)
            for run in things:
                if isinstance(run, HookRun):
                    send_hook(self._sender, self._namespace, run.hook_id, run.run_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, upkeep finds them, and the thread must live
            log.warning("message_not_sent", about=[str(thing) for thing in things], error=type(error).__name__)

"""Sends workers the keys of jobs that are due, in the background: no request waits for that."""

from typing import Final

import structlog

from actorline.gateway.intake.batching import Batcher
from actorline.identifiers import JobKey
from actorline.messages import make_sender, send_hook, send_upkeep
from actorline.settings import Settings
from actorline.webhooks.events import HookRun

JOBS_A_MESSAGE: Final = 10  # each takes a worker's slot for some milliseconds
GATHER_SECS: Final = 0.03  # sending a message takes as long as storing an order; a job takes seconds anyway

log = structlog.get_logger(__name__)


class WakeUps:
    """Sends in its own thread. A lost message costs seconds: upkeep finds the job in the ledger."""

    def __init__(self, settings: Settings) -> None:
        self._namespace = settings.namespace
        self._sender = make_sender(settings)
        self._groups: Batcher[str | HookRun] = Batcher("starter", self._send, most=JOBS_A_MESSAGE, gather_s=GATHER_SECS)

    def start(self, key: JobKey) -> None:
        """Have a worker check the job now."""
        self._groups.put(key)

    def look_at(self, run: HookRun) -> None:
        """Have a worker decide whether to collect the run."""
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
        except Exception as error:  # noqa: BLE001 - whatever it is, upkeep finds them, and the thread must survive
            log.warning("message_not_sent", about=[str(thing) for thing in things], error=type(error).__name__)

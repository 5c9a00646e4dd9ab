"""Serves a worker's metrics to Prometheus, from a thread of its own, where a port is set.

Several workers of one machine have the same settings, so each takes the next port that is free.
"""

import time
from typing import Any, Final

import structlog
from celery import signals
from celery.worker import state
from prometheus_client import Gauge, Histogram, Info, start_http_server

from actorline import __version__
from actorline.settings import Settings
from config.queues import kinds_of
from tasks.shell.environment import settings
from tasks.shell.metrics import registry
from workers.timer_step import TimerStep

PORTS_TRIED: Final = 10

log = structlog.get_logger(__name__)

threads: Final = Gauge("actorline_worker_threads", "Threads of the worker that run tasks", registry=registry)
threads_busy: Final = Gauge(
    "actorline_worker_threads_busy", "Threads of the worker that are running a task now", registry=registry
)
threads_busy.set_function(lambda: len(state.active_requests))
loop_lag_seconds: Final = Histogram(
    "actorline_worker_loop_lag_seconds",
    "Seconds by which the loop that takes messages was late, looked at once a second",
    buckets=(0.01, 0.05, 0.25, 1, 5, 15),
    registry=registry,
)
about: Final = Info(
    "actorline_worker", "The worker's version, and the kinds of queue that it serves", registry=registry
)


class LoopLag(TimerStep):
    """Notes how late the timer of the loop is: a loop that is busy or frozen takes no messages."""

    every_s = 1.0

    def start(self, consumer: Any) -> None:
        self._last = time.monotonic()
        super().start(consumer)

    def tick(self, consumer: Any) -> None:
        del consumer
        now = time.monotonic()
        loop_lag_seconds.observe(max(now - self._last - self.every_s, 0))
        self._last = now


@signals.worker_ready.connect
def _serve(sender: Any, **_: Any) -> None:
    """Serve what this worker knows of itself."""
    queues = {queue.name for queue in sender.task_consumer.queues}
    about.info({"version": __version__, "kinds": ",".join(kinds_of(queues, settings().namespace))})
    threads.set(sender.pool.limit or 0)
    serve_metrics(settings())


def serve_metrics(settings: Settings) -> int | None:
    """Serve on the first free port from the one that is set on, and return it; None: none is set, or none is free."""
    first = settings.metrics_port
    if first is None:
        return None
    for port in range(first, first + PORTS_TRIED):
        try:
            start_http_server(port, settings.metrics_host, registry)
        except OSError:  # taken, by another worker of this machine
            continue
        log.info("metrics_served", host=settings.metrics_host, port=port)
        return port
    log.warning("metrics_not_served", host=settings.metrics_host, port=first, message="no port is free or may be used")
    return None

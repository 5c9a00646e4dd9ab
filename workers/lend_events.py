"""Lends the worker's own way of sending events to its tasks: see `tasks/shell/shown_step.py`."""

from typing import Any

from celery import bootsteps

from tasks.shell.shown_step import listeners


class LendEvents(bootsteps.StartStopStep):
    requires = ("celery.worker.consumer.events:Events",)

    def start(self, consumer: Any) -> None:
        listeners.dispatcher = consumer.event_dispatcher

    def stop(self, consumer: Any) -> None:
        del consumer
        listeners.dispatcher = None

"""What `inspect stats`, and with it Flower, shows of the broker: not the options, where the sentinels' password is."""

from typing import Any, Final

from celery import bootsteps
from celery.worker.consumer import Connection

SHOWN: Final = ("transport", "hostname", "port", "virtual_host")


class ShownBroker(bootsteps.Step):
    """Replaces what Celery's own step reports, which also can't be sent: an option is no JSON."""

    requires = (Connection,)

    def info(self, consumer: Any) -> dict[str, Any]:  # type: ignore[override]  # celery-types: Celery does use it
        facts = consumer.connection.info() if consumer.connection else {}
        return {"broker": {name: facts[name] for name in SHOWN if name in facts}}

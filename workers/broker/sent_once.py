"""Events that are sent once. Celery repeats a heartbeat until Redis takes it, in the worker's own loop.

No request to stop is seen there: a worker that lost its Redis at that moment stayed for ever.
"""

from typing import Any

from celery.app.events import Events
from celery.events import EventDispatcher


class SentOnce(EventDispatcher):
    """Keeps what can't be sent, as Celery does, until there is another connection."""

    def send(self, type: str, *args: Any, **fields: Any) -> Any:  # noqa: A002 - Celery's name
        return super().send(type, *args, **{**fields, "retry": False})


class EventsSentOnce(Events):
    dispatcher_cls: Any = SentOnce

"""A message that can't be read is dropped, as ever; its sender is told, and no log holds what stood in it."""

from collections.abc import Callable
from typing import Any, Final

import structlog
from celery.worker import consumer

from actorline.errors import Code, JobRefused, Reason
from actorline.jobs.job import JobResult
from actorline.jobs.states import State

UNREADABLE: Final = "The message can't be read: it is not the JSON of a task. Nothing was started. Send it as JSON."

log = structlog.get_logger(__name__)


class Consumer(consumer.Consumer):
    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], Any]:
        """Celery dies of a body of a wrong shape, and of its redelivery, and so on without end."""
        handle = super().create_task_handler(*args, **options)

        def handle_any(message: Any) -> Any:
            try:
                return handle(message)
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
                return self.on_decode_error(message, error)

        return handle_any

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Celery would log the body of a message in another serialization, and let its sender wait for ever."""
        del body
        self.on_decode_error(message, exc)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Celery would log the body, which holds the input, and let the sender wait for ever."""
        given = (message.headers or {}).get("id")
        task_id = given if isinstance(given, str) else None
        log.error("message_unreadable", task_id=task_id, error=type(exc).__name__)
        if task_id:
            reason = Reason(code=Code.DOCUMENT_INVALID, message=UNREADABLE, billed=False)
            result = JobResult.refused("", State.FAILED, reason)
            self.app.backend.mark_as_failure(task_id, JobRefused(result.model_dump_json()))
        message.ack_log_error(log, self.connection_errors)  # type: ignore[attr-defined]  # celery-types lacks it

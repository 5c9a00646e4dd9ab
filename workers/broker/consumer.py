"""An unreadable message is dropped, as in Celery; but its sender gets a failure, and its content is not logged."""

from collections.abc import Callable
from typing import Any, Final

import structlog
from celery.worker import consumer

from actorline.errors import Code, JobRefused, Reason
from actorline.identifiers import JobKey
from actorline.jobs.job_result import JobResult
from actorline.jobs.states import State

UNREADABLE: Final = "The message can't be read: it is not the JSON of a task. Nothing was started. Send it as JSON."

log = structlog.get_logger(__name__)


class Consumer(consumer.Consumer):
    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], Any]:
        """Handle malformed bodies: one crashes Celery's consumer, and again on each redelivery."""
        handle = super().create_task_handler(*args, **options)

        def handle_any(message: Any) -> Any:
            try:
                return handle(message)
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
                return self.on_decode_error(message, error)

        return handle_any

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Fail a message in another serialization: Celery would log its body and let its sender wait forever."""
        del body
        self.on_decode_error(message, exc)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Fail the message: Celery would log its body, which has the input, and let the sender wait forever."""
        given = (message.headers or {}).get("id")
        task_id = given if isinstance(given, str) else None
        log.error("message_unreadable", task_id=task_id, error=type(exc).__name__)
        if task_id:
            reason = Reason(code=Code.DOCUMENT_INVALID, message=UNREADABLE, billed=False)
            result = JobResult.refused(JobKey(""), State.FAILED, reason)
            self.app.backend.mark_as_failure(task_id, JobRefused(result.model_dump_json()))
        message.ack_log_error(log, self.connection_errors)  # type: ignore[attr-defined]  # celery-types lacks it

"""Reports stages that end by `Ignore` to Flower and events as ended; Celery itself sends no event then."""

import time
from typing import Any

from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined]  # its stubs lack it
from celery.exceptions import Ignore
from celery.worker.request import Request


class StageRequest(Request):
    """A stage that was replaced by the next one, or had nothing to do: without an event it would stay STARTED."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        answer = super().on_failure(exc_info, send_failed_event, return_ok)
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        if isinstance(error, Ignore):
            runtime_s = time.time() - self.time_start if self.time_start else None
            self.send_event("task-succeeded", result="'handed on'", runtime=runtime_s)
        return answer

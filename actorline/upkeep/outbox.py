"""What upkeep needs from Celery."""

from collections.abc import Mapping
from typing import Any, Protocol

from actorline.identifiers import JobKey, TaskId
from actorline.jobs.job import Job
from actorline.upkeep.decision import Stage


class Outbox(Protocol):
    """Sends messages, and looks at queues and results."""

    def send(self, task: str, *args: object) -> None:
        """Send a message to one of our tasks."""

    def send_pipeline(self, job: Job, first: Stage) -> bool:
        """Send the job's stages from `first` on under the next epoch; return False if the job was changed meanwhile."""

    def send_answer(self, key: JobKey, task_id: TaskId, caller: dict[str, Any]) -> None:
        """Send one caller its answer."""

    def send_notices(self, job: Job) -> float | None:
        """Send the notice of the job's end if it is due, and return seconds until the next check."""

    def has_result(self, task_id: TaskId) -> bool:
        """Return whether the backend has the task's final result."""

    def queue_lengths(self) -> Mapping[str, int]:
        """Return how many messages each queue has: `control`, `fetch`, `doors`."""

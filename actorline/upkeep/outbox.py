"""What upkeep needs from Celery."""

from collections.abc import Mapping
from typing import Any, Protocol

from actorline.batches.batch import Batch
from actorline.identifiers import JobKey, TaskId
from actorline.jobs.job import Job
from actorline.upkeep.decision import Stage


class Outbox(Protocol):
    """Sends messages, and looks at queues and results."""

    def send(self, task: str, *args: object) -> None:
        """Send a message to one of our tasks."""

    def send_batch(self, key: JobKey) -> None:
        """Send the message that takes a batch on, unless one is under way."""

    def send_pipeline(self, job: Job, first: Stage) -> bool:
        """Send the job's stages from `first` on under the next epoch; return False if the job was changed meanwhile."""

    def answer_caller(self, ended: Job | Batch, task_id: TaskId, caller: dict[str, Any]) -> None:
        """Give one caller of the ended job its answer."""

    def send_notices(self, job: Job) -> float | None:
        """Send the notice of the job's end if it is due, and return seconds until the next check."""

    def is_answered(self, task_id: TaskId) -> bool:
        """Return whether the backend has the task's final result, and would still have it after a failover."""

    def queue_lengths(self) -> Mapping[str, int]:
        """Return how many messages each queue has: `control`, `fetch`, `doors`."""

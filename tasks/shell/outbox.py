"""Upkeep's messages, sent through Celery."""

from celery import current_app

from actorline.identifiers import TaskId
from actorline.jobs.job import Job
from actorline.queue_names import queue_kinds
from actorline.upkeep.decision import Stage
from tasks.shell import answers, canvas
from tasks.shell.batches import send_batch
from tasks.shell.environment import ledger, settings
from tasks.shell.metrics import note_takeover


class CeleryOutbox:
    """The `Outbox` of `actorline/upkeep/outbox.py`."""

    send_batch = staticmethod(send_batch)
    answer_caller = staticmethod(answers.answer_caller)
    send_notices = staticmethod(canvas.send_notices)

    def send_pipeline(self, job: Job, first: Stage) -> bool:
        is_sent = canvas.send_pipeline(job, first)
        if is_sent:
            note_takeover(job, ledger().now())
        return is_sent

    def is_answered(self, task_id: TaskId) -> bool:
        return answers.has_result(task_id) and answers.is_replicated(task_id)

    def send(self, task: str, *args: object) -> None:
        current_app.send_task(f"actorline.{task}", list(args))

    def queue_lengths(self) -> dict[str, int]:
        queues = queue_kinds(settings().namespace)
        with current_app.connection_or_acquire() as connection:
            channel = connection.default_channel  # it adds up a queue's lists, one for each priority
            return {kind: channel.queue_declare(queue).message_count for kind, queue in queues.items()}

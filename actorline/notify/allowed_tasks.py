"""Which Celery tasks a notice may use: those that the operator lists, and never Actorline's or Celery's own.

A queue is a key in the broker's Redis. Under a name that kombu, Celery or we use for something else, its first message
breaks that: a binding that became a list stops every producer and worker of its queue until it is deleted by hand.
"""

from typing import Final

from actorline.errors import Code, Refused
from actorline.jobs.document.job_document import JobDocument
from actorline.settings import Settings

DEFAULT_QUEUE: Final = "celery"
RESERVED_TASKS: Final = ("actorline.", "celery.")
RESERVED_QUEUES: Final = (
    "_kombu",
    "unacked",  # kombu: bindings, and what workers hold
    "celery-task-meta-",
    "celery-taskset-meta-",
    "chord-unlock-",  # Celery's results, where they share the database
)
RESERVED_WORDS: Final = ("pidbox", "celeryev")  # remote control and events


def check_notify_task(document: JobDocument, settings: Settings, *, trusted: bool) -> None:
    """Refuse a task or queue that no notice may use, or that the operator hasn't listed for services."""
    task, queue = document.notify.task, document.notify.queue or DEFAULT_QUEUE
    if task is None:
        if document.notify.queue is not None:
            raise Refused(Code.NOTIFY_REFUSED, "notify.queue is the queue of notify.task, which is missing.")
        return
    if problem := reserved_problem(task, queue, settings.namespace):
        raise Refused(Code.NOTIFY_REFUSED, f"{problem} Nothing was started.")
    if not trusted and f"{task}@{queue}" not in settings.notify_tasks:
        raise Refused(
            Code.NOTIFY_REFUSED,
            f"notify.task names {task}@{queue}, which isn't listed. Nothing was started. The operator lists the tasks "
            f"that services may have sent in ACTORLINE_NOTIFY_TASKS, as {task}@{queue}.",
        )


def reserved_problem(task: str, queue: str, namespace: str) -> str | None:
    """Return why no sender may have this task sent to this queue; None: the operator decides."""
    if task.lower().startswith(RESERVED_TASKS):
        return f"notify.task names {task}, which is Actorline's or Celery's own. Use a task of your own."
    name = queue.lower()
    if name.startswith((*RESERVED_QUEUES, namespace)) or any(word in name for word in RESERVED_WORDS):
        return (
            f"notify.queue names {queue}, which is or may be a key of Celery's or of Actorline in Redis. "
            "Use a queue of your own."
        )
    return None

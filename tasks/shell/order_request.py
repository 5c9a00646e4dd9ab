"""What Flower, events and logs show of an order: its key and target, never its input."""

from typing import Any, Final

from actorline.jobs.job import Job
from actorline.jobs.job_key import KEY_MAX_CHARS
from tasks.shell.message_times import TimedRequest
from tasks.shell.plain_task import PlainTask

KEPT: Final = "kept"
_TARGETS = ("actor", "actor_task", "run_id", "dataset_id")


class QuietRequest(TimedRequest):
    """Shortens the sender's `argsrepr` header, which has the whole document, to what may be seen."""

    def __init__(self, message: Any, **options: Any) -> None:
        super().__init__(message, **options)
        self._argsrepr = describe_order(self.args)
        self._kwargsrepr = "{}"
        self.request_dict["argsrepr"] = self._argsrepr
        self.request_dict["kwargsrepr"] = self._kwargsrepr

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 - Celery's name
        """Send no success of an order whose caller is kept: it is answered at the job's end."""
        if type != "task-succeeded" or fields["result"] != repr(KEPT):
            super().send_event(type, **fields)

    def info(self, safe: bool = False) -> Any:
        del safe
        return {**super().info(safe=True), "args": self._argsrepr, "kwargs": self._kwargsrepr}

    def __repr__(self) -> str:
        return f"<{self.name} {self.id} {self._argsrepr}>"


class QuietTask(PlainTask):
    abstract = True
    Request = QuietRequest


def describe_job(job: Job) -> str:
    """Return key and target of a job, as they were shown for its order."""
    kind, name = job.document.target
    return describe_order([{"key": job.key, kind: name}])


def describe_order(args: Any) -> str:
    """Return `(key=nightly, actor=user/name)`."""
    document = args[0] if isinstance(args, list | tuple) and args else None
    if not isinstance(document, dict):
        return "(no document)"
    named = {name: document.get(name) for name in ("key", *_TARGETS)}
    shown = (f"{name}={value[:KEY_MAX_CHARS]}" for name, value in named.items() if isinstance(value, str))
    return f"({', '.join(shown)})"

"""Tasks that return their result at once: it is read within seconds, or never."""

from typing import Any, Final

from celery import states

from tasks.shell.plain_task import PlainTask

RESULT_SECS: Final = 3600


class EntranceTask(PlainTask):
    """Its results expire soon: a service that asks 20 times a second would otherwise fill Redis."""

    abstract = True

    def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        del retval, args, kwargs, einfo
        if status in states.READY_STATES and not self.request.ignore_result:
            backend: Any = self.backend
            backend.client.expire(backend.get_key_for_task(task_id), RESULT_SECS)

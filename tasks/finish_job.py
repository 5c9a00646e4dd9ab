"""`actorline.finish_job(key, epoch)`: make a delivery of the fetched pages, or fetch another wave."""

from typing import Any, assert_never

from celery import Task, shared_task
from celery.exceptions import Ignore

from actorline.identifiers import JobKey
from actorline.jobs.step import Ended, Stop
from actorline.stages.collect.fetch_pages import load_collecting
from actorline.stages.collect.finish_job import Finisher, NextWave
from tasks.shell.answers import end_for_callers
from tasks.shell.canvas import next_wave
from tasks.shell.environment import installation, ledger, new_execution, platform, settings
from tasks.shell.progress import report_to_callers
from tasks.shell.stage import StageTask


@shared_task(bind=True, base=StageTask, name="actorline.finish_job")
def finish_job(self: "Task[Any, Any]", key: JobKey, epoch: int) -> None:
    finish(self, key, epoch)


def finish(task: "Task[Any, Any]", key: JobKey, epoch: int) -> None:
    """Advance the job. Return if it has ended; otherwise the task is replaced by the next wave, or ends here."""
    collecting = load_collecting(ledger(), key, epoch)
    if collecting is None:
        raise Ignore
    finisher = Finisher(ledger(), platform(collecting.job.document.account), settings(), installation())
    step = finisher.advance(*collecting, new_execution())
    match step:
        case Ended():
            end_for_callers(key)
        case NextWave(epoch=next_epoch, seconds=seconds):
            report_to_callers(key)
            raise task.replace(next_wave(key, next_epoch, seconds))
        case Stop():
            raise Ignore
        case _:
            assert_never(step)

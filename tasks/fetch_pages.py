"""`actorline.fetch_pages(key, epoch)`: plan the next pages, and replace itself by the chord that fetches them."""

from typing import Any

from celery import Task, shared_task

from actorline.stages.collect.fetch_pages import Planner, Wave
from tasks.shell.canvas import wave_canvas
from tasks.shell.conclude import conclude
from tasks.shell.environment import installation, ledger, platform_of, settings
from tasks.shell.stage import StageTask


@shared_task(bind=True, base=StageTask, name="actorline.fetch_pages")
def fetch_pages(self: "Task[Any, Any]", key: str, epoch: int) -> None:
    planned = Planner(ledger(), platform_of(key), settings(), installation()).plan(key, epoch)
    if not isinstance(planned, Wave):
        conclude(self, key, planned)
        return
    raise self.replace(wave_canvas(key, epoch, planned))

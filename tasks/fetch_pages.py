"""`actorline.fetch_pages(key, epoch)`: plan the next pages, and replace itself by the chord that fetches them.

A single page, which is all that a small job has, is fetched and finished here: a chord would cost three more messages
and a fifth of the job's CPU.
"""

from typing import Any

from celery import Task, shared_task

from actorline.identifiers import JobKey
from actorline.jobs.step import Stop
from actorline.stages.collect.fetch_page import PageFetch
from actorline.stages.collect.fetch_pages import Planner, Wave, load_collecting
from tasks.fetch_page import PageRetry, store_page
from tasks.finish_job import finish
from tasks.shell.canvas import wave_canvas
from tasks.shell.conclude import conclude
from tasks.shell.environment import installation, ledger, platform, settings
from tasks.shell.shown_step import shown
from tasks.shell.stage import StageTask


@shared_task(bind=True, base=StageTask, name="actorline.fetch_pages")
def fetch_pages(self: "Task[Any, Any]", key: JobKey, epoch: int) -> None:
    collecting = load_collecting(ledger(), key, epoch)
    if collecting is None:
        conclude(self, key, Stop())
        return
    of_account = platform(collecting.job.document.account)
    planned = Planner(ledger(), of_account, settings(), installation()).plan(*collecting)
    if not isinstance(planned, Wave):
        conclude(self, key, planned)
        return
    if len(planned.pages) > 1:
        raise self.replace(wave_canvas(key, epoch, planned))
    for window, expected in planned.pages:
        with shown(self, "fetch_page", key, f"(key={key}, page={window.page_no})"):
            outcome = store_page(of_account, key, PageFetch(planned.attempt, window, expected))
        if isinstance(outcome, PageRetry):  # in a message of its own, which can wait
            raise self.replace(wave_canvas(key, epoch, planned, tries=outcome.tries, seconds=outcome.seconds))
    with shown(self, "finish_job", key, f"(key={key}, epoch={epoch})"):
        finish(self, key, epoch)

"""`actorline.fetch_page(key, epoch, attempt, page_no, offset, limit, expected, tries)`: store one page."""

from typing import Any

from celery import Task, shared_task

from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.page_plan import Window
from actorline.jobs.timeline_event import TimelineEvent
from actorline.stages.collect.fetch_page import HELD_SECS, Held, PageFetcher
from tasks.shell.canvas import page_args
from tasks.shell.environment import ledger, new_execution, platform_of, settings
from tasks.shell.progress import report_page
from tasks.shell.stage import StageTask, again

BACK_OFF_SECS = (0.5, 1.0, 2.0, 4.0, 8.0)


@shared_task(bind=True, base=StageTask, name="actorline.fetch_page")
def fetch_page(
    self: "Task[Any, Any]",
    key: str,
    epoch: int,
    attempt: int,
    page_no: int,
    offset: int,
    limit: int,
    expected: int,
    tries: int,
) -> bool:
    """Return whether the page is stored; its receipt, good or bad, is in the ledger. `epoch` only names the sender: a
    stored page stays stored, whichever epoch asked for it.
    """
    window = Window(page_no=page_no, offset=offset, limit=limit)
    outcome = PageFetcher(ledger(), platform_of(key), settings()).fetch(
        key, attempt, window, expected=expected, execution=new_execution(), tries=tries
    )
    if isinstance(outcome, Held):
        raise again(self, HELD_SECS)
    if isinstance(outcome, UnreadablePage):
        ledger().timeline.add(key, TimelineEvent.PAGE_FAILED, page_no=page_no, tries=tries + 1, message=str(outcome))
        args = page_args(key, epoch, attempt, window, expected, tries + 1)
        raise again(self, BACK_OFF_SECS[min(tries, len(BACK_OFF_SECS) - 1)], args)
    report_page(key)
    return outcome.is_good

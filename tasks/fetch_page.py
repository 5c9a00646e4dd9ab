"""`actorline.fetch_page(key, epoch, attempt, page_no, offset, limit, expected, tries)`: store one page."""

from dataclasses import dataclass, replace
from typing import Any

from celery import Task, shared_task

from actorline.back_off import back_off_s
from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.page_plan import Window
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import SinkError
from actorline.identifiers import JobKey
from actorline.jobs.timeline_event import TimelineEvent
from actorline.platform.client import Platform
from actorline.platform.errors import asked_wait_s
from actorline.stages.collect.fetch_page import PAGE_HELD_SECS, PageFetch, PageFetcher, PageHeld
from tasks.shell.canvas import page_args
from tasks.shell.environment import ledger, new_execution, platform_of, settings
from tasks.shell.metrics import fetches
from tasks.shell.progress import report_page
from tasks.shell.stage import StageTask, again

PAGE_BACK_OFF_SECS = (0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class PageRetry:
    """The page is fetched again: when, and after how many tries."""

    seconds: float
    tries: int


@shared_task(bind=True, base=StageTask, name="actorline.fetch_page")
def fetch_page(
    self: "Task[Any, Any]",
    key: JobKey,
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
    page = PageFetch(attempt, Window(page_no=page_no, offset=offset, limit=limit), expected, tries)
    outcome = store_page(platform_of(key), key, page)
    if isinstance(outcome, PageRetry):
        raise again(self, outcome.seconds, page_args(key, epoch, replace(page, tries=outcome.tries)))
    report_page(key)
    return outcome.is_good


def store_page(platform: Platform, key: JobKey, page: PageFetch) -> Receipt | PageRetry:
    """Fetch the page once; again no sooner than the platform asks for."""
    page_no, tries = page.window.page_no, page.tries
    outcome = PageFetcher(ledger(), platform, settings()).fetch(key, page, new_execution())
    if isinstance(outcome, PageHeld):
        return PageRetry(PAGE_HELD_SECS, tries)
    if isinstance(outcome, UnreadablePage):
        fetches.labels("sink" if isinstance(outcome.__cause__, SinkError) else "again").inc()
        ledger().timeline.add(key, TimelineEvent.PAGE_FAILED, page_no=page_no, tries=tries + 1, message=str(outcome))
        wait_s = back_off_s(PAGE_BACK_OFF_SECS, tries)
        return PageRetry(max(wait_s, asked_wait_s(outcome.__cause__)), tries + 1)
    fetches.labels("stored" if outcome.is_good else "failed").inc()
    return outcome

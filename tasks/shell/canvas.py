"""The canvas: chain(start_run, poll_run, fetch_pages), where fetch_pages becomes chord([fetch_page ...], finish_job).

Messages have only key, epoch and window. Every id is stored, so that revoking any of them cancels the job.
"""

from collections.abc import Sequence
from typing import Any

from celery import chain, chord, current_app, signature
from celery.canvas import Signature
from celery.utils import uuid

from actorline.delivery.page_plan import Window
from actorline.identifiers import JobKey
from actorline.jobs.fields import NOW
from actorline.jobs.job import Job
from actorline.jobs.states import LIVE
from actorline.ledger.change import Change
from actorline.ledger.parking import Parking
from actorline.notify.notice import NOTICE_AGAIN_SECS, secs_until_notice
from actorline.queue_names import queue_kinds
from actorline.stages.collect.fetch_page import PageFetch
from actorline.stages.collect.fetch_pages import Wave
from actorline.upkeep.decision import Stage, queue_of
from tasks.shell.environment import ledger, settings


def stages_from(job: Job, first: Stage) -> list[Stage]:
    """Return the stages of a job from `first` on; an existing dataset needs no polling."""
    stages = [Stage.START, Stage.POLL, Stage.COLLECT]
    if job.document.dataset_id:
        stages.remove(Stage.POLL)
    return stages[stages.index(first) :]


def send_pipeline(job: Job, first: Stage) -> bool:
    """Send the job's stages from `first` on under the next epoch; return False if the job was changed meanwhile."""
    lost_message_s = settings().lost_message_secs
    epoch = ledger().change(
        job.key,
        Change(
            next_epoch=True,
            due_in_s=lost_message_s,
            fields={"sent_at": NOW, "is_planned": False, "patience": lost_message_s, "poll_no": None, "poll_by": None},
        ),
        states={job.state} & LIVE,
        epoch=job.epoch,
    )
    if epoch is None:
        return False
    if first is not Stage.START:  # only a job with a run is parked
        Parking(ledger()).unpark(job.key)
    signatures = [_named(stage, job.key, epoch) for stage in stages_from(job, first)]
    signatures[0].set(queue=queue_kinds(settings().namespace)[queue_of(job, first)])
    if first is Stage.START:  # among waiting starts
        signatures[0].set(priority=job.document.priority)
    _remember(job.key, signatures, drop_stale=True)
    chain(*signatures).apply_async()
    return True


def wave_canvas(key: JobKey, epoch: int, wave: Wave, *, tries: int = 0, seconds: float = 0) -> Signature[Any]:
    """Return the canvas of a wave: the pages in parallel, then the finish.

    `tries`, `seconds`: how often they were tried before, and when they are fetched.
    """
    finish = _named("finish_job", key, epoch)
    pages = [_page(key, epoch, PageFetch(wave.attempt, window, expected, tries)) for window, expected in wave.pages]
    if seconds:
        for page in pages:
            page.set(countdown=seconds)
    _remember(key, [*pages, finish])
    return chord(pages, finish)


def send_pages(key: JobKey, epoch: int, attempt: int, pages: Sequence[Window]) -> None:
    """Send each full page of a running run by itself; lost ones are fetched when the run has ended."""
    signatures = [_page(key, epoch, PageFetch(attempt, window, window.limit)) for window in pages]
    if signatures:
        _remember(key, signatures)
    for each in signatures:
        each.apply_async()


def send_ahead(key: JobKey, epoch: int) -> None:
    """Send the task that checks a running run for full pages."""
    ahead = _named("fetch_ahead", key, epoch)
    _remember(key, [ahead], drop_last=True)
    ahead.apply_async()


def next_wave(key: JobKey, epoch: int, seconds: float) -> Signature[Any]:
    collect = _named(Stage.COLLECT, key, epoch)
    _remember(key, [collect])
    return collect.set(countdown=seconds) if seconds else collect


def page_args(key: JobKey, epoch: int, page: PageFetch) -> tuple[Any, ...]:
    window = page.window
    return (key, epoch, page.attempt, window.page_no, window.offset, window.limit, page.expected, page.tries)


def send_notices(job: Job) -> float | None:
    """Send the notice of the job's end if it is due, and return seconds until the next check."""
    seconds = secs_until_notice(job.document.notify, job.notice, job.ended_at, ledger().now())
    if seconds == 0:
        current_app.send_task("actorline.notify", [job.key])
        return NOTICE_AGAIN_SECS
    return seconds


def care_for_now(keys: Sequence[JobKey]) -> None:
    """Have a worker take care of jobs at once, before upkeep's next check."""
    current_app.send_task("actorline.upkeep", list(keys))


def _remember(
    key: JobKey, signatures: Sequence[Signature[Any]], *, drop_stale: bool = False, drop_last: bool = False
) -> None:
    """Store the ids of a job's tasks, and which stage each is; pages, of which there are many, have no stage."""
    stages = {each.options["task_id"]: (each.task or "").removeprefix("actorline.") for each in signatures}
    named = {task_id: "" if stage == "fetch_page" else stage for task_id, stage in stages.items()}
    ledger().callers.name_tasks(key, named, drop_stale=drop_stale, drop_last=drop_last)


def _named(stage: str, key: JobKey, epoch: int) -> Signature[Any]:
    shown = f"(key={key}, epoch={epoch})"
    return signature(f"actorline.{stage}", args=(key, epoch), immutable=True, task_id=uuid(), argsrepr=shown)


def _page(key: JobKey, epoch: int, page: PageFetch) -> Signature[Any]:
    args = page_args(key, epoch, page)
    shown = f"(key={key}, page={page.window.page_no})"  # short: Redis has hundreds of these messages
    return signature("actorline.fetch_page", args=args, immutable=True, task_id=uuid(), argsrepr=shown)

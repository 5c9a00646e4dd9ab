"""`actorline.start_run(key, epoch)`: one paid run for the job."""

from contextlib import nullcontext
from typing import Any

from celery import Task, shared_task

from actorline.errors import Refused
from actorline.identifiers import JobKey
from actorline.jobs.step import Moved, Step, Stop
from actorline.platform.errors import PlatformBusy
from actorline.queue_names import fetch_queue
from actorline.stages.start.no_account import refuse_start
from actorline.stages.start.start_run import Startable, Starter, load_startable
from tasks.shell.canvas import care_for_now
from tasks.shell.conclude import conclude
from tasks.shell.environment import installation, ledger, platform, settings
from tasks.shell.platform_slots import slots
from tasks.shell.stage import StageTask


@shared_task(bind=True, base=StageTask, name="actorline.start_run")
def start_run(self: "Task[Any, Any]", key: JobKey, epoch: int) -> None:
    startable = load_startable(ledger(), key, epoch)
    is_from_fetch_queue = (self.request.delivery_info or {}).get("routing_key") == fetch_queue(settings().namespace)
    step = advance(startable, with_slot=not is_from_fetch_queue) if startable else Stop()
    if startable is None or startable.job.document.dataset_id or not isinstance(step, Moved):
        conclude(self, key, step)  # otherwise the poll, which follows at once, shows what has become of the job


def advance(startable: Startable, *, with_slot: bool) -> Step:
    """Advance the start; `with_slot`: it runs in the control queue, whose threads orders need."""
    account = startable.job.document.account
    try:
        starter = Starter(ledger(), platform(account), settings(), installation(), wake=care_for_now)
    except Refused as error:  # no token here, or another user's
        return refuse_start(ledger(), startable, error.reason)
    try:
        with slots().taken(account) if with_slot else nullcontext():
            return starter.advance(startable)
    except PlatformBusy:
        return starter.put_off(startable)

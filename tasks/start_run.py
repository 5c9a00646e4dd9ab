"""`actorline.start_run(key, epoch)`: one paid run for the job."""

from contextlib import nullcontext
from typing import Any

from celery import Task, shared_task

from actorline.errors import Refused
from actorline.identifiers import AccountName, JobKey
from actorline.jobs.step import Step
from actorline.platform.errors import PlatformBusy
from actorline.stages.start.no_account import refuse_start
from actorline.stages.start.start_run import Starter
from config.queues import fetch_queue
from tasks.shell.canvas import care_for_now
from tasks.shell.conclude import conclude
from tasks.shell.environment import DEFAULT_ACCOUNT, installation, ledger, platform, settings
from tasks.shell.platform_slots import slots
from tasks.shell.stage import StageTask


@shared_task(bind=True, base=StageTask, name="actorline.start_run")
def start_run(self: "Task[Any, Any]", key: JobKey, epoch: int) -> None:
    try:
        account = ledger().account(key) or DEFAULT_ACCOUNT
        starter = Starter(ledger(), platform(account), settings(), installation(), wake=care_for_now)
    except Refused as error:  # no token here, or another user's
        conclude(self, key, refuse_start(ledger(), key, epoch, error.reason))
        return
    is_from_fetch_queue = (self.request.delivery_info or {}).get("routing_key") == fetch_queue(settings().namespace)
    conclude(self, key, advance(starter, account, key, epoch, with_slot=not is_from_fetch_queue))


def advance(starter: Starter, account: AccountName, key: JobKey, epoch: int, *, with_slot: bool) -> Step:
    """Advance the start; `with_slot`: it runs in the control queue, whose threads orders need."""
    try:
        with slots().taken(account) if with_slot else nullcontext():
            return starter.advance(key, epoch)
    except PlatformBusy:
        return starter.put_off(key, epoch)

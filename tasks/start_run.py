"""`actorline.start_run(key, epoch)`: one paid run for the job."""

from typing import Any

from celery import Task, shared_task

from actorline.errors import Refused
from actorline.jobs.starting import Starter, refuse_start
from actorline.jobs.step import Step
from tasks.conclude import conclude
from tasks.environment import DEFAULT_ACCOUNT, installation, ledger, platform, settings
from tasks.pipeline import care_for_now
from tasks.platform_slots import PlatformBusyError, slots
from tasks.stage import StageTask


@shared_task(bind=True, base=StageTask, name="actorline.start_run")
def start_run(self: "Task[Any, Any]", key: str, epoch: int) -> None:
    try:
        account = ledger().account(key) or DEFAULT_ACCOUNT
        starter = Starter(ledger(), platform(account), settings(), installation(), wake=care_for_now)
    except Refused as error:  # no token here, or another user's
        conclude(self, key, refuse_start(ledger(), key, epoch, error.reason))
        return
    conclude(self, key, advance(starter, account, key, epoch))


def advance(starter: Starter, account: str, key: str, epoch: int) -> Step:
    try:
        with slots().taken(account):
            return starter.advance(key, epoch)
    except PlatformBusyError:
        return starter.put_off(key, epoch)

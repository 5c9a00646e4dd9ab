"""`actorline.start_run(key, epoch)`: one paid run for the job."""

from typing import Any

from celery import Task, shared_task

from actorline.errors import Refused
from actorline.jobs.starting import Starter, refuse_start
from tasks.conclude import conclude
from tasks.environment import DEFAULT_ACCOUNT, confirm_account, installation, ledger, platform_of, settings
from tasks.pipeline import care_for_now
from tasks.stage import StageTask


@shared_task(bind=True, base=StageTask, name="actorline.start_run")
def start_run(self: "Task[Any, Any]", key: str, epoch: int) -> None:
    try:
        starter = Starter(ledger(), platform_of(key), settings(), installation(), wake=care_for_now)
        confirm_account(ledger().account(key) or DEFAULT_ACCOUNT)
    except Refused as error:  # no token here, or another user's
        conclude(self, key, refuse_start(ledger(), key, epoch, error.reason))
        return
    conclude(self, key, starter.advance(key, epoch))

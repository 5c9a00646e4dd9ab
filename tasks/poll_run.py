"""`actorline.poll_run(key, epoch)`: check the run; until it has ended, again after a countdown, in the same task."""

from datetime import datetime
from typing import Any

from celery import Task, shared_task

from actorline.identifiers import JobKey
from actorline.jobs.fields import NOW
from actorline.jobs.states import State
from actorline.jobs.step import Ended, Moved, Park, Stop, Wait
from actorline.ledger.admission.capacity_line import CapacityLine
from actorline.ledger.change import Change
from actorline.ledger.queries.tally import empty_at
from actorline.platform.errors import PlatformBusy
from actorline.stages.collect.fetch_ahead import LOOK_MAX_SECS, may_send
from actorline.stages.watch.poll_run import Poller
from tasks.shell.canvas import send_ahead
from tasks.shell.care import care
from tasks.shell.conclude import conclude
from tasks.shell.environment import ledger, new_execution, platform, settings
from tasks.shell.platform_slots import slots
from tasks.shell.stage import StageTask, again

BUSY_SECS = 5.0


@shared_task(bind=True, base=StageTask, name="actorline.poll_run")
def poll_run(self: "Task[Any, Any]", key: JobKey, epoch: int) -> None:
    job = ledger().claim_poll(key, epoch, self.request.retries, new_execution())
    if job is None:
        conclude(self, key, Stop())
        return
    account = job.document.account
    poller = Poller(ledger(), platform(account), settings())
    try:
        with slots().taken(account):
            step = poller.advance(job)
    except PlatformBusy as error:
        ledger().agenda.postpone(key, BUSY_SECS + settings().lost_message_secs)
        raise again(self, BUSY_SECS) from error
    if isinstance(step, Wait | Park):
        look_ahead(key, epoch)
    if isinstance(step, Moved | Ended):
        care().for_all(CapacityLine(ledger(), account).call_next())
    eta: Any = self.request.eta  # celery-types says int
    conclude(self, key, step, late_s=lateness(eta))


def look_ahead(key: JobKey, epoch: int) -> None:
    """Have a fetch worker check for full pages from time to time."""
    job = ledger().load(key)
    if job is None or not may_send(job, now=ledger().now(), empty_at=empty_at(ledger()).get("fetch", 0)):
        return
    looked = Change(fields={"ahead_at": ledger().now() + LOOK_MAX_SECS, "ahead_sent_at": NOW})
    if ledger().change(key, looked, states={State.RUNNING}, epoch=epoch) is not None:
        send_ahead(key, epoch)


def lateness(eta: str | datetime | None) -> float:
    """Return seconds since this poll was due: subtracted from the next countdown, so that polls stay evenly spaced."""
    if eta is None:
        return 0.0
    moment = datetime.fromisoformat(eta) if isinstance(eta, str) else eta
    return max(ledger().now() - moment.timestamp(), 0.0)

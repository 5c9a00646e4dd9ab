"""`actorline.look_at_fleet(account)`: check the runs of all parked jobs, and poll those with news."""

from typing import Any

import structlog
from celery import current_app, shared_task

from actorline.errors import Refused
from actorline.identifiers import AccountName, JobKey
from actorline.ledger.parking import Parking
from actorline.platform.errors import PlatformBusy
from actorline.queue_names import control_queue, fetch_queue
from actorline.stages.watch.look_at_fleet import ParkedJobs
from actorline.stages.watch.poll_run import POLL_STATES
from actorline.upkeep.decision import Stage
from tasks.shell.canvas import send_pipeline
from tasks.shell.environment import ledger, platform, settings
from tasks.shell.platform_slots import slots

log = structlog.get_logger(__name__)


@shared_task(name="actorline.look_at_fleet", ignore_result=True, send_events=False)  # as upkeep
def look_at_fleet(account: AccountName) -> None:
    parked = ParkedJobs(ledger(), settings())
    try:
        with slots().taken(account):
            parked.look(account, platform(account))
    except PlatformBusy:
        return  # checked again, as if this message were lost
    except Refused as error:  # no token for the account here; another worker may have it
        log.warning("fleet_not_seen", account=account, error=str(error))
        return
    for key, epoch in parked.with_news(account, urgent_messages()).items():
        wake(key, epoch)


def urgent_messages() -> int:
    """Return how many urgent messages and pages wait: starts don't count, as they don't hold up polls."""
    namespace = settings().namespace
    with current_app.connection_or_acquire() as connection:
        redis: Any = connection.default_channel.client
        return sum(redis.llen(queue) for queue in (control_queue(namespace), fetch_queue(namespace)))


def wake(key: JobKey, epoch: int) -> None:
    job = ledger().load(key)
    if job is None or job.epoch != epoch or job.state not in POLL_STATES or not send_pipeline(job, Stage.POLL):
        Parking(ledger()).unpark(key, epoch)  # another execution has it by now

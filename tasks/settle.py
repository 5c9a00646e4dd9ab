"""`actorline.settle(key)`: store an ended job's final cost and stats."""

import structlog
from celery import shared_task

from actorline.delivery.sink import SinkError
from actorline.errors import Refused
from actorline.identifiers import JobKey
from actorline.platform.errors import PlatformError
from actorline.upkeep.settle import secs_until_settled, settle_figures
from tasks.shell.environment import ledger, platform_of
from tasks.shell.platform_slots import slots

log = structlog.get_logger(__name__)


@shared_task(name="actorline.settle", ignore_result=True)
def settle(key: JobKey) -> None:
    job = ledger().load(key)
    if job is None or not job.is_terminal or secs_until_settled(job, ledger().now()) is None:
        return
    try:
        with slots().taken(job.document.account):
            settle_figures(ledger(), platform_of(key), job)
    except (PlatformError, SinkError, Refused) as error:
        log.warning("figures_not_settled", job_key=key, error=str(error))

"""`actorline.settle(*keys)`: store the final cost and stats of ended jobs."""

import structlog
from celery import shared_task

from actorline.delivery.sink import SinkError
from actorline.errors import Refused
from actorline.identifiers import JobKey
from actorline.platform.errors import PlatformError, PlatformUnavailable
from actorline.upkeep.settle import secs_until_settled, settle_figures
from tasks.shell.environment import ledger, platform
from tasks.shell.platform_slots import slots

log = structlog.get_logger(__name__)


@shared_task(name="actorline.settle", ignore_result=True)
def settle(*keys: JobKey) -> None:
    """Store the final figures of these jobs; upkeep sends again those that are left."""
    for key in keys:
        try:
            settle_one(key)
        except PlatformUnavailable as error:  # the others would only wait for it too
            log.warning("figures_not_settled", job_key=key, error=str(error))
            return
        except (PlatformError, SinkError, Refused) as error:
            log.warning("figures_not_settled", job_key=key, error=str(error))


def settle_one(key: JobKey) -> None:
    """Store the final figures of a job, if they may be read by now."""
    job, callers = ledger().load_with_callers(key)
    if job is None or not job.is_terminal or secs_until_settled(job, ledger().now()) is None:
        return
    with slots().taken(job.document.account):
        settle_figures(ledger(), platform(job.document.account), job, is_last=not callers)
    if not callers and ledger().callers.of(key):  # one came meanwhile
        ledger().agenda.make_due(key)

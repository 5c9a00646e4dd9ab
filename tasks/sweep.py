"""`actorline.sweep(account)`: find billing runs that no job wants."""

import structlog
from celery import shared_task

from actorline.errors import Refused
from actorline.identifiers import AccountName
from actorline.platform.errors import PlatformError
from actorline.stages.start.limits import refresh_limits
from actorline.upkeep import orphans
from actorline.upkeep.decision import Stage
from tasks.shell.canvas import send_pipeline
from tasks.shell.environment import installation, ledger, platform, settings
from tasks.shell.platform_slots import slots

log = structlog.get_logger(__name__)


@shared_task(name="actorline.sweep", ignore_result=True)
def sweep(account: AccountName) -> None:
    """Find the account's orphans. Those of known jobs are aborted by upkeep; the others are handled as configured."""
    try:
        with slots().taken(account):
            for orphan in orphans.find_orphans(ledger(), platform(account), installation(), account):
                log.error("orphan_run", run_id=orphan.run.id, job_key=orphan.key, started_at=str(orphan.run.started_at))
                adopted = orphans.abort_or_adopt(ledger(), platform(account), settings(), orphan)
                if adopted:
                    send_pipeline(adopted, Stage.START)
            refresh_limits(ledger(), platform(account), account)
    except (PlatformError, Refused) as error:
        log.warning("sweep_failed", account=account, error=str(error))

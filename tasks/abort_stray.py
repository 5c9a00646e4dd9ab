"""`actorline.abort_stray(run_id)`: abort a run that no job wants, until the platform reports its end."""

import structlog
from celery import shared_task

from actorline.errors import Refused
from actorline.platform import errors as platform_errors
from actorline.platform.runs import abort_run
from actorline.upkeep.orphans import is_collected
from tasks.shell.environment import ledger, platform, settings
from tasks.shell.platform_slots import PlatformBusyError, slots

STRAY_LOOK_SECS = 2.0  # an abort takes a second or two

log = structlog.get_logger(__name__)


@shared_task(name="actorline.abort_stray", ignore_result=True)
def abort_stray(run_id: str) -> None:
    key = ledger().runs.strays().get(run_id)
    if key is None:
        return
    if is_collected(ledger(), run_id, unless_by=key):
        ledger().runs.forget_stray(run_id)
        return
    try:
        has_ended = _abort(run_id, ledger().account(key))
    except (platform_errors.PlatformError, Refused, PlatformBusyError) as error:  # Refused: no token for it here
        log.warning("stray_not_aborted", run_id=run_id, error=str(error))
        return
    if has_ended:
        ledger().timeline.add(key, "stray-aborted", run_id=run_id)
        ledger().runs.forget_stray(run_id)
    else:
        ledger().runs.plan_stray(run_id, STRAY_LOOK_SECS)


def _abort(run_id: str, account: str | None) -> bool:
    """Abort a stray, and return whether it has ended. If its job was purged, its account is unknown: all are tried, and
    it has ended only if none has the run.
    """
    unseen: Exception | None = None
    for each in [account] if account else settings().tokens:
        try:
            with slots().taken(each):
                return abort_run(platform(each), run_id).is_terminal
        except platform_errors.NotFound:
            continue
        except (platform_errors.PlatformError, Refused, PlatformBusyError) as error:
            unseen = error
    if unseen:
        raise unseen
    return True

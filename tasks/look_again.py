"""`actorline.look_again(key, attempt)`: the second search for the run of an unclear start."""

import structlog
from celery import shared_task

from actorline.errors import Refused
from actorline.identifiers import AccountName, JobKey, RunId
from actorline.platform.errors import Forbidden, PlatformError
from actorline.upkeep import orphans
from tasks.shell.environment import DEFAULT_ACCOUNT, installation, ledger, platform
from tasks.shell.platform_slots import slots

log = structlog.get_logger(__name__)


@shared_task(name="actorline.look_again", ignore_result=True)
def look_again(key: JobKey, attempt: int) -> None:
    """Search again for an unclear start's or resurrection's run; one found is aborted, and reported."""
    try:
        account = ledger().account(key) or DEFAULT_ACCOUNT
        with slots().taken(account):
            found = _second_search(account, key, attempt)
            is_over = orphans.close_resurrection(ledger(), platform(account), key)
    except (PlatformError, Refused) as error:
        log.warning("second_search_failed", job_key=key, error=str(error))
        return
    if found:
        log.error("second_run_found", job_key=key, runs=found)
    if is_over:
        ledger().agenda.forget_second_search(key, attempt)


def _second_search(account: AccountName, key: JobKey, attempt: int) -> list[RunId]:
    """Return the runs that were found. A search that the token may not make is given up: until a person gives it that
    right nothing is found, and from then on the account's sweeps find the run, too.
    """
    try:
        return orphans.make_second_search(ledger(), platform(account), installation(), key, attempt)
    except Forbidden as error:
        log.error("second_search_refused", job_key=key, error=str(error))  # noqa: TRY400 - foreseeable: no traceback
        return []

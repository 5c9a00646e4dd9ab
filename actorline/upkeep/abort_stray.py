"""Aborts a run that no job wants, until the platform reports its end."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

from actorline.errors import Refused
from actorline.identifiers import AccountName, RunId
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.platform.client import Platform
from actorline.platform.errors import NotFound, PlatformError
from actorline.platform.runs import Run, abort_run
from actorline.platform.statuses import RunStatus
from actorline.upkeep.sweep import is_collected

NEXT_LOOK_SECS: Final = 2.0  # an abort takes a second or two

log = Logger(__name__)

OpenPlatform = Callable[[AccountName], AbstractContextManager[Platform]]
"""The platform of an account. Raises Refused if this worker has no token for it."""


def abort_stray(ledger: Ledger, run_id: RunId, *, accounts: Iterable[AccountName], open_platform: OpenPlatform) -> None:
    """Abort the run, and forget it once it has ended; upkeep calls again until then.

    `accounts`: those that are tried if its job was purged, so that its own account is unknown.
    """
    key = ledger.runs.strays().get(run_id)
    if key is None:
        return
    if is_collected(ledger, run_id, unless_by=key):
        ledger.runs.forget_stray(run_id)
        return
    account = ledger.account(key)
    try:
        found = _abort(run_id, [account] if account else accounts, open_platform)
    except (PlatformError, Refused) as error:
        log.warning("stray_not_aborted", run_id=run_id, error=str(error))
        return
    if found and not found.run.is_terminal:
        ledger.runs.plan_stray(run_id, NEXT_LOOK_SECS)
        return
    ledger.timeline.add(key, TimelineEvent.STRAY_ABORTED, run_id=run_id)
    if ledger.runs.forget_stray(run_id) and found and found.run.status == RunStatus.ABORTED:
        ledger.runs.count_stopped(found.account)


class _Found(NamedTuple):
    account: AccountName
    run: Run


def _abort(run_id: RunId, accounts: Iterable[AccountName], open_platform: OpenPlatform) -> _Found | None:
    """Abort the run in the first account that has it, and return it as it is now; None: no account has it.

    Raises PlatformError or Refused if an account that may have it could not be asked.
    """
    unseen: Exception | None = None
    for account in accounts:
        try:
            with open_platform(account) as platform:
                return _Found(account, abort_run(platform, run_id))
        except NotFound:
            continue
        except (PlatformError, Refused) as error:
            unseen = error
    if unseen:
        raise unseen
    return None

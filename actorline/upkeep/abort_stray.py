"""Aborts a run that no job wants, until the platform reports its end, and counts its cost once that is final.

Such a run is also the last one of a job that was retried before its cost was final: that one has ended already.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

from actorline.errors import Refused
from actorline.identifiers import AccountName, RunId
from actorline.jobs.cost import cost_fields, without_assumed_cost
from actorline.jobs.fields import JobFields
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.platform.client import Platform
from actorline.platform.errors import NotFound, PlatformError
from actorline.platform.runs import Run, abort_run, secs_until_final
from actorline.platform.statuses import RunStatus
from actorline.upkeep.orphans import is_collected

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
    job = ledger.load(key)
    if found and job and (wait_s := secs_until_counted(job, found.run, ledger.now())):
        ledger.runs.plan_stray(run_id, wait_s)
        return
    if job is None:
        ledger.timeline.add(key, TimelineEvent.STRAY_ABORTED, run_id=run_id)
    elif not book_stray(ledger, job, run_id, found.run.usage_total_usd if found else None):
        ledger.runs.plan_stray(run_id, NEXT_LOOK_SECS)
        return
    was_counted = job is not None and run_id in (job.stray_costs or {})  # it had ended by itself
    is_aborted = found is not None and found.run.status == RunStatus.ABORTED and not was_counted
    if ledger.runs.forget_stray(run_id) and found and is_aborted:
        ledger.runs.count_stopped(found.account)


def secs_until_counted(job: Job, run: Run, now: float) -> float:
    """Return seconds until the cost of an ended run is final, which a budget counts, or which the job has counted as
    it was at a retry; 0: it is, or none counts it.
    """
    is_counted = job.reservation is not None or run.id in (job.stray_costs or {})
    if not is_counted or run.finished_at is None:
        return 0
    return secs_until_final(run.finished_at.timestamp(), now)


def book_stray(ledger: Ledger, job: Job, run_id: RunId, cost_usd: float | None) -> bool:
    """Count what the run cost as a cost of its job, and so in the job's budgets, once: a later figure takes the place
    of an earlier one. Return False if the job was changed by another execution just now.
    """
    booked = job.stray_costs or {}
    known = without_assumed_cost(job, run_id) if cost_usd is not None else {}
    if run_id in booked and cost_usd in {None, booked[run_id]} and not known:
        return True
    if run_id == job.run.id:  # the job had ended before its run did: this is the run's last cost
        fields, guards = cost_fields(job, cost_usd), JobFields(run_id=run_id, assumed_costs=job.assumed_costs)
    else:
        fields = JobFields(stray_costs={**booked, run_id: float(cost_usd or 0)}) | known
        guards = JobFields(stray_costs=job.stray_costs, assumed_costs=job.assumed_costs)
    data = {"run_id": run_id, "cost_usd": cost_usd}
    event = TimelineEvent.FIGURES_SETTLED if run_id in booked else TimelineEvent.STRAY_ABORTED
    change = Change(fields=fields, guards=guards, event=event, data=data)
    return ledger.change(job.key, change, epoch=None, states=State) is not None


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

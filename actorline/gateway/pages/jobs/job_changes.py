"""Cancelling and retrying from a page, with the same rights as over HTTP."""

from typing import Final, Literal

from actorline.gateway.auditing import note_change
from actorline.gateway.context import check_scope
from actorline.gateway.pages.visit import Visit
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.rights import Scope
from actorline.orders.cancel import cancel_job
from actorline.orders.retry import retry_job

Action = Literal["cancel", "retry"]
CANCELS: Final = (Scope.CANCEL, Scope.CANCEL_ANY)
ORDERS: Final = (Scope.SUBMIT, Scope.COLLECT)


def may_cancel(visit: Visit, key: JobKey) -> Job:
    """Return the job if the visitor may cancel it. Raises Refused."""
    return _own(visit, key, CANCELS, unless=Scope.CANCEL_ANY)


def may_retry(visit: Visit, key: JobKey) -> Job:
    """Return the job if the visitor may retry it. Raises Refused."""
    return _own(visit, key, ORDERS, unless=Scope.RETRY_ANY)


def change_job(visit: Visit, key: JobKey, action: Action, *, request: str | None = None) -> None:
    """Cancel or retry a job. Raises Refused; `request`: the same one retries once."""
    ledger = visit.context.ledger
    if action == "cancel":
        is_live = cancel_job(ledger, key, sender=visit.sender, request=request)
        note_change("cancel", visit.sender, job_key=key, is_live=is_live)
    else:
        retry_job(ledger, key, sender=visit.sender, request=request)
        note_change("retry", visit.sender, job_key=key)
    visit.context.wake_ups.start(key)


def _own(visit: Visit, key: JobKey, scopes: tuple[Scope, ...], *, unless: Scope) -> Job:
    job = visit.find_own(key, unless=unless)
    check_scope(visit.grant, scopes)
    return job

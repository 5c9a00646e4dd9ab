"""Cancelling and retrying from a page, with the same rights as over HTTP."""

from collections.abc import Callable, Mapping
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
    change(visit, key, action, request, {"cancel": cancel_job, "retry": retry_job}, kind="job_key")


def change(
    visit: Visit,
    key: JobKey,
    action: Action,
    request: str | None,
    by: Mapping[Action, Callable[..., bool | None]],
    *,
    kind: Literal["job_key", "batch_key"],
) -> None:
    """Cancel or retry a job or a batch, note that, and have workers see to it."""
    is_live = by[action](visit.context.ledger, key, sender=visit.sender, request=request)
    noted = {} if is_live is None else {"is_live": is_live}
    note_change(action, visit.sender, **{kind: key}, **noted)
    visit.context.wake_ups.start(key)


def _own(visit: Visit, key: JobKey, scopes: tuple[Scope, ...], *, unless: Scope) -> Job:
    job = visit.find_own(key, unless=unless)
    check_scope(visit.grant, scopes)
    return job

"""Cancelling and retrying a batch from a page, with the same rights as over HTTP."""

from actorline.batches.batch import Batch
from actorline.batches.cancel import cancel_batch
from actorline.batches.retry import retry_batch
from actorline.gateway.context import check_scope
from actorline.gateway.pages.jobs.job_changes import CANCELS, ORDERS, Action, change
from actorline.gateway.pages.visit import Visit
from actorline.identifiers import JobKey
from actorline.jobs.rights import Scope


def may_cancel_batch(visit: Visit, key: JobKey) -> Batch:
    """Return the batch if the visitor may cancel it. Raises Refused."""
    return _own(visit, key, CANCELS, unless=Scope.CANCEL_ANY)


def may_retry_batch(visit: Visit, key: JobKey) -> Batch:
    """Return the batch if the visitor may retry it. Raises Refused."""
    return _own(visit, key, ORDERS, unless=Scope.RETRY_ANY)


def change_batch(visit: Visit, key: JobKey, action: Action, *, request: str | None) -> None:
    """Cancel or retry a batch. Raises Refused; `request`: the same one does it once."""
    change(visit, key, action, request, {"cancel": cancel_batch, "retry": retry_batch}, kind="batch_key")


def _own(visit: Visit, key: JobKey, scopes: tuple[Scope, ...], *, unless: Scope) -> Batch:
    batch = visit.find_own_batch(key, unless=unless)
    check_scope(visit.grant, scopes)
    return batch

"""What the routes work with, and the one dependency that provides it: the sender and what it may do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from actorline.batches.batch import Batch, load_batch
from actorline.errors import Code, Refused
from actorline.gateway.auditing import Refusals
from actorline.gateway.authentication import Authenticator, Grant
from actorline.gateway.counted_requests import RequestFigures
from actorline.gateway.intake.body import Bodies
from actorline.gateway.intake.orders import OrderIntake
from actorline.gateway.intake.wake_ups import WakeUps
from actorline.gateway.intake.webhook_events import WebhookIntake
from actorline.gateway.pages.pulse import Pulse
from actorline.gateway.problems import Fault
from actorline.gateway.readiness import Readiness
from actorline.gateway.shares import Shares
from actorline.gateway.streams import Downloads
from actorline.gateway.timelines import Timelines
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.job_key import is_key, shown_key
from actorline.jobs.rights import Scope
from actorline.jobs.sender import Sender
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.job_index import JobIndex
from actorline.ledger.queries.key_text import KeyText
from actorline.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """The parts of the gateway, one set per process."""

    settings: Settings
    ledger: Ledger
    authenticator: Authenticator
    bodies: Bodies
    order_intake: OrderIntake
    wake_ups: WakeUps
    webhook_intake: WebhookIntake
    timelines: Timelines
    index: JobIndex
    key_text: KeyText
    streams: Shares
    waits: Shares
    downloads: Downloads
    refusals: Refusals
    readiness: Readiness
    pulse: Pulse
    pages: Shares
    figures: RequestFigures


@dataclass(frozen=True)
class AuthorizedRequest:
    """A request that passed authentication."""

    context: Context
    grant: Grant
    sender: Sender

    async def admit_again(self, request: Request) -> None:
        """Raise Refused or Fault if the sender of a request that takes long isn't admitted any more, as with a revoked
        key.
        """
        await self.context.authenticator.admit(request)

    async def look(self, call: Callable[[], T]) -> T:
        """Return what a call finds in a sink or at the platform, which may be slow. Raises as `Downloads.look` does."""
        return await self.context.downloads.look(self.grant.holder, call)

    def has(self, scope: Scope) -> bool:
        return self.grant.rights.has(scope)

    def find_own(self, key: JobKey, *, unless: Scope) -> Job:
        """Return the job if this sender ordered it or has the scope `unless`, which covers any job. Raises Refused."""
        job = self.find_job(key)
        self._check_own(job, "job", unless)
        return job

    def find_own_batch(self, key: JobKey, *, unless: Scope) -> Batch:
        """Return the batch if this sender ordered it or has the scope `unless`. Raises Refused."""
        batch = self.find_batch(key)
        self._check_own(batch, "batch", unless)
        return batch

    def _check_own(self, found: Job | Batch, kind: str, unless: Scope) -> None:
        if found.ordered_by != self.grant.holder and not self.has(unless):
            raise Refused(
                Code.FORBIDDEN,
                f"Another API key ordered the {kind} {found.key}; that needs the scope {unless}. Nothing was changed.",
            )

    def find_batch(self, key: JobKey) -> Batch:
        """Return the batch. Raises Refused (unknown-key), also for one that the grant doesn't cover."""
        batch = load_batch(self.context.ledger, key) if is_key(key) else None
        if batch is None or not self.grant.sees(batch.document.account):
            raise Refused(Code.UNKNOWN_KEY, f"There is no batch with the key {shown_key(key)!r}. Nothing was changed.")
        return batch

    def find_job(self, key: JobKey) -> Job:
        """Return the job. Raises Refused (unknown-key), also for one that the grant doesn't cover."""
        job = self.context.ledger.load(key) if is_key(key) else None
        if job is None or not self.grant.sees(job.document.account):
            raise Refused(Code.UNKNOWN_KEY, f"There is no job with the key {shown_key(key)!r}. Nothing was changed.")
        return job


def check_scope(grant: Grant, scopes: Sequence[Scope]) -> None:
    """Raise Refused unless the grant covers one of the scopes."""
    if not any(map(grant.rights.has, scopes)):
        raise Refused(Code.FORBIDDEN, f"The API key lacks the scope {' or '.join(scopes)}. Nothing was done.")


class RequiresScope(SecurityBase):
    """Admits a request whose grant covers one of the scopes; the OpenAPI document shows it as the path's security.

    Raises what `Authenticator.admit` raises, and Refused for other scopes.
    """

    scheme_name = "API key"
    model = HTTPBearer(
        description="Create one with `actorline keys create NAME`. On loopback none is needed until the first exists."
    )

    def __init__(self, *scopes: Scope) -> None:
        self._scopes = scopes

    async def __call__(self, request: Request) -> AuthorizedRequest:
        context: Context = request.app.state.context
        try:
            grant = await context.authenticator.admit(request)
        except (Refused, Fault):
            context.refusals.note(request, context.authenticator.known_name(request))
            raise
        check_scope(grant, self._scopes)
        request.state.holder = grant.holder
        address = request.client.host if request.client else None
        return AuthorizedRequest(context, grant, Sender("http", grant.holder, address, grant.rights))


MayOrder = Annotated[AuthorizedRequest, Depends(RequiresScope(Scope.SUBMIT, Scope.COLLECT))]
MayRead = Annotated[AuthorizedRequest, Depends(RequiresScope(Scope.READ))]
MayCancel = Annotated[AuthorizedRequest, Depends(RequiresScope(Scope.CANCEL, Scope.CANCEL_ANY))]
MayMeasure = Annotated[AuthorizedRequest, Depends(RequiresScope(Scope.METRICS))]

"""What the routes work with, and the one dependency through which they get it: who asks, and what that one may do."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from actorline.api_keys import Scope
from actorline.errors import Code, Refused
from actorline.gateway.admission import Doorkeeper, Grant
from actorline.gateway.body import Bodies
from actorline.gateway.hinting import HintDesk
from actorline.gateway.ordering import OrderDesk
from actorline.gateway.starting import Starter
from actorline.gateway.streams import Downloads, Places
from actorline.gateway.waiting import Timelines
from actorline.jobs.document import is_key, shown_key
from actorline.jobs.job import Job
from actorline.jobs.ledger import Ledger
from actorline.settings import Settings


@dataclass(frozen=True)
class Context:
    """The parts of the door, one set a process."""

    settings: Settings
    ledger: Ledger
    doorkeeper: Doorkeeper
    bodies: Bodies
    desk: OrderDesk
    starter: Starter
    hints: HintDesk
    timelines: Timelines
    streams: Places
    downloads: Downloads


@dataclass(frozen=True)
class Visit:
    """A request that was let in."""

    context: Context
    grant: Grant

    def find_job(self, key: str) -> Job:
        """Raises Refused (unknown-key) as well for a job that the grant doesn't cover: for its holder there is none."""
        job = self.context.ledger.load(key) if is_key(key) else None
        if job is None or not self.grant.sees(job.order.account):
            raise Refused(Code.UNKNOWN_KEY, f"There is no job with the key {shown_key(key)!r}. Nothing was changed.")
        return job


class Admitted(SecurityBase):
    """Lets a request in, if its grant covers the scope; the OpenAPI document names it as the security of the path.

    Raises what `Doorkeeper.admit` raises, and Refused for another scope.
    """

    scheme_name = "API key"
    model = HTTPBearer(description="`actorline keys create NAME` makes one. On loopback, while there is none: open.")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def __call__(self, request: Request) -> Visit:
        context: Context = request.app.state.context
        grant = await context.doorkeeper.admit(request)
        if self._scope not in grant.scopes:
            message = f"The API key has not the scope {self._scope}. Nothing was done."
            raise Refused(Code.FORBIDDEN, message)
        return Visit(context, grant)


MaySubmit = Annotated[Visit, Depends(Admitted(Scope.SUBMIT))]
MayRead = Annotated[Visit, Depends(Admitted(Scope.READ))]
MayCancel = Annotated[Visit, Depends(Admitted(Scope.CANCEL))]
MayMeasure = Annotated[Visit, Depends(Admitted(Scope.METRICS))]

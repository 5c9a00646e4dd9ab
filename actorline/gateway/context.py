"""What the routes work with."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from actorline.api_keys import Scope
from actorline.errors import Code, Refused
from actorline.gateway.admission import Doorkeeper, Grant
from actorline.gateway.starting import Starter
from actorline.gateway.waiting import Timelines
from actorline.jobs.document import is_key
from actorline.jobs.job import Job
from actorline.jobs.ledger import Ledger
from actorline.settings import Settings


@dataclass(frozen=True)
class Context:
    settings: Settings
    ledger: Ledger
    doorkeeper: Doorkeeper
    starter: Starter
    timelines: Timelines


async def context_of(request: Request) -> Context:  # FastAPI would look a plain function up in a thread
    return cast("Context", request.app.state.context)


class Admitted:
    """A dependency: the sender's grant. Raises Refused if it doesn't cover the scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def __call__(
        self,
        request: Request,
        _: Annotated[object, Security(HTTPBearer(auto_error=False, description="`actorline keys create NAME`"))],
    ) -> Grant:
        grant = await (await context_of(request)).doorkeeper.admit(request)
        if self._scope not in grant.scopes:
            raise Refused(Code.FORBIDDEN, f"The API key has not the scope {self._scope}. Nothing was done.")
        return grant


MaySubmit = Annotated[Grant, Depends(Admitted(Scope.SUBMIT))]
MayRead = Annotated[Grant, Depends(Admitted(Scope.READ))]
MayCancel = Annotated[Grant, Depends(Admitted(Scope.CANCEL))]
InContext = Annotated[Context, Depends(context_of)]


def find_job(context: Context, key: str, grant: Grant) -> Job:
    """Raises Refused (unknown-key) as well for a job that the grant doesn't cover: for its holder there is none."""
    job = context.ledger.load(key) if is_key(key) else None
    if job is None or not grant.sees(job.order.account):
        raise Refused(Code.UNKNOWN_KEY, f"There is no job with the key {key[:200]!r}. Nothing was changed.")
    return job

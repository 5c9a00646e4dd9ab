"""Who looks at a page: signed in by cookie, or a local program while no API key is needed."""

import secrets
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from actorline.errors import Code, Refused
from actorline.gateway.authentication import Grant
from actorline.gateway.context import AuthorizedRequest, Context
from actorline.gateway.pages.cookie import COOKIE, form_token
from actorline.gateway.pages.forms import Form, check_own_origin, check_token, read_form
from actorline.gateway.problems import Fault
from actorline.jobs.rights import EVERYTHING, Scope
from actorline.jobs.sender import Sender
from actorline.ledger.sessions import Sessions

WITHOUT_SESSION: Final = secrets.token_urlsafe(32)
"""Stands for the cookie in forms where no API key is needed."""


@dataclass(frozen=True)
class Visit(AuthorizedRequest):
    """A request for a page, from somebody who may read jobs. `cookie`: None without a session."""

    cookie: str | None = None

    @property
    def form_token(self) -> str:
        return form_token(self.cookie or WITHOUT_SESSION)

    @property
    def is_operator(self) -> bool:
        """Return whether everything is allowed: the installation itself may be changed."""
        return self.grant.rights == EVERYTHING


async def visit(request: Request) -> Visit:
    """Admit a visitor who may read jobs. Raises Refused (auth: to the sign-in; forbidden), Fault and
    redis.RedisError.
    """
    found = await _admitted(request)
    if not found.has(Scope.READ):
        raise Refused(
            Code.FORBIDDEN,
            f"The API key {found.grant.holder} lacks the scope read, which the pages need. Sign in with another.",
        )
    return found


async def _admitted(request: Request) -> Visit:
    context: Context = request.app.state.context
    cookie = request.cookies.get(COOKIE)
    try:
        grant = await _grant(request, context, cookie)
    except (Refused, Fault):
        if cookie is not None:
            context.refusals.note(request)
        raise
    request.state.holder = grant.holder
    address = request.client.host if request.client else None
    return Visit(context, grant, Sender("http", grant.holder, address, grant.rights), cookie)


async def _grant(request: Request, context: Context, cookie: str | None) -> Grant:
    sign_in = await run_in_threadpool(Sessions(context.ledger).find, cookie) if cookie is not None else None
    if sign_in is None:
        return await context.authenticator.admit_local(request, is_own_page=request.method == "POST")
    return await context.authenticator.admit_digest(sign_in.name, sign_in.sha256)


@dataclass(frozen=True)
class Posted:
    """A form from one of our pages, and who sent it."""

    visit: Visit
    form: Form


async def posted(request: Request) -> Posted:
    """Read a form, once its sender is known. Raises what `visit` and `read_form` raise, and Fault: 403 if another site
    sent it or it lacks its page's token, 429 if the visitor sends too many at a time.
    """
    check_own_origin(request.headers)
    visitor = await visit(request)
    with visitor.context.waits.held(visitor.grant.holder):
        form = await read_form(request)
    check_token(form, visitor.form_token)
    return Posted(visitor, form)


Visitor = Annotated[Visit, Depends(visit)]
PostedForm = Annotated[Posted, Depends(posted)]

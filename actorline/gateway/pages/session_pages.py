"""`/sign-in`, `/sign-out`, and the two files that every page loads."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.api_keys import name_in
from actorline.errors import Code, Refused
from actorline.gateway.auditing import note_change
from actorline.gateway.context import Context
from actorline.gateway.pages.cookie import COOKIE, keep_cookie
from actorline.gateway.pages.forms import SIGN_IN_BYTES, check_own_origin, read_form
from actorline.gateway.pages.rendering import STATIC, PageRoute, page, see_other, static_file, static_url
from actorline.gateway.pages.visit import PostedForm
from actorline.gateway.problems import Fault
from actorline.jobs.sender import Sender
from actorline.ledger.sessions import Sessions, SignIn
from actorline.secret_digest import digest

router = APIRouter(route_class=PageRoute, include_in_schema=False)

A_YEAR: Final = 31_536_000
UNAUTHORIZED: Final = 401


@router.get("/sign-in")
async def ask_for_key(next_page: Annotated[str, Query(alias="next")] = "/") -> Response:
    return page("sign_in.html", None, next=_own_path(next_page), refusal="")


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Open a session for the holder of an API key."""
    check_own_origin(request.headers)
    form = await read_form(request, SIGN_IN_BYTES)
    context: Context = request.app.state.context
    api_key, path = form.first("key").strip(), _own_path(form.first("next"))
    try:
        grant = await context.authenticator.admit_key(api_key)
    except Refused:
        context.refusals.note(request)
        refusal = "This API key is unknown, or it was revoked."
        return page("sign_in.html", None, UNAUTHORIZED, next=path, refusal=refusal)
    session = SignIn(name=name_in(api_key), sha256=digest(api_key))
    cookie = await run_in_threadpool(Sessions(context.ledger).open, session)
    note_change("signed-in", Sender("http", grant.holder, request.client.host if request.client else None))
    response = see_other(path)
    keep_cookie(response, cookie, is_https=request.headers.get("origin", "").startswith("https:"))
    return response


@router.post("/sign-out")
async def sign_out(posted: PostedForm) -> Response:
    """End the session, in this browser and wherever else its cookie is."""
    visit = posted.visit
    if visit.cookie:
        await run_in_threadpool(Sessions(visit.context.ledger).close, visit.cookie)
    note_change("signed-out", visit.sender)
    response = see_other("/sign-in")
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response


@router.get("/static/{version}/{name}")
async def static(version: str, name: str) -> Response:
    """Return a file of the pages; its URL changes with its content."""
    if name not in STATIC or static_url(name) != f"/static/{version}/{name}":
        raise Fault(404, Code.REQUEST_INVALID, "There is no such file.")
    headers = {"Cache-Control": f"public, max-age={A_YEAR}, immutable", "Content-Type": STATIC[name]}
    return Response(static_file(name), headers=headers)


def _own_path(path: str) -> str:
    """Return the path if it is one of ours, otherwise the first page: a sign-in never leads to another site."""
    is_own = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_own else "/"

"""Pages from templates: everything is escaped, and the browser loads and runs nothing but our two files."""

from collections.abc import Callable, Coroutine
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from actorline import __version__
from actorline.errors import Code
from actorline.gateway.pages.presentation import words
from actorline.gateway.pages.presentation.next_step import first_sentence
from actorline.gateway.pages.visit import Visit
from actorline.gateway.problems import ProblemResponse, respond_to
from actorline.jobs.rights import Scope

STATIC: Final = {
    "style.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PAGES: Final = (
    ("Jobs", "/", Scope.READ),
    ("Batches", "/batches", Scope.READ),
    ("Schedules", "/schedules", Scope.READ),
    ("Money", "/money", Scope.READ),
    ("Fleet", "/fleet", Scope.METRICS),
)
JOB_TABS: Final = (("Life", ""), ("Rows", "/rows"), ("Document", "/document"), ("Log", "/log"))
SEE_OTHER: Final = 303
SIGN_IN: Final = "/sign-in"


@cache
def static_file(name: str) -> bytes:
    return files(__package__).joinpath("static", name).read_bytes()


@cache
def static_url(name: str) -> str:
    """Return the file's URL, which changes with its content, so that browsers keep the file."""
    return f"/static/{sha256(static_file(name)).hexdigest()[:12]}/{name}"


@cache
def _templates() -> Environment:
    found = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters |= words.FILTERS
    found.globals |= {
        "usd": words.FILTERS["usd"],
        "number": words.FILTERS["number"],
        "static": static_url,
        "version": __version__,
        "tabs": JOB_TABS,
        "pages": PAGES,
    }
    return found


def page(template: str, visit: Visit | None, status: int = 200, /, **values: Any) -> Response:
    """Return a page; `visit`: None where nobody is signed in."""
    text = _templates().get_template(template).render(visit=visit, **values)
    return HTMLResponse(text, status, HEADERS)


def see_other(path: str) -> Response:
    """Send the browser to another page of ours."""
    return RedirectResponse(path, SEE_OTHER, HEADERS)


class PageRoute(APIRoute):
    """Shows errors as pages; who isn't signed in is sent to do that."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        respond = super().get_route_handler()

        async def respond_with_page(request: Request) -> Response:
            try:
                return await respond(request)
            except Exception as error:  # noqa: BLE001 - each becomes a response, as everywhere in the gateway
                return _error_page(request, await respond_to(request, error))

        return respond_with_page


def show_unknown_addresses(app: FastAPI) -> None:
    """Show a browser a page also where none is; programs get a problem document."""
    app.add_exception_handler(HTTPException, _unknown_address)


async def _unknown_address(request: Request, error: Exception) -> Response:
    response = await respond_to(request, error)
    is_browser = request.method == "GET" and "text/html" in request.headers.get("Accept", "")
    if not is_browser or request.url.path.startswith("/v1/") or not isinstance(response, ProblemResponse):
        return response
    found = response.document
    return page("error.html", None, found.status, problem=found, detail="No page has this address.")


def _is_only_late(request: Request, status: int) -> bool:
    """Return whether a page can't be shown now: nothing was sent that would have to be sent again."""
    return request.method == "GET" and status == HTTPStatus.SERVICE_UNAVAILABLE


def _error_page(request: Request, response: Response) -> Response:
    if not isinstance(response, ProblemResponse):
        return response
    found = response.document
    if found.code is Code.AUTH:
        query = f"?{request.url.query}" if request.url.query else ""
        return see_other(f"{SIGN_IN}?next={quote(request.url.path + query)}" if request.method == "GET" else SIGN_IN)
    detail = first_sentence(found.detail) + "." if _is_only_late(request, found.status) else found.detail
    shown = page("error.html", None, found.status, problem=found, detail=detail)
    if retry_after := response.headers.get("Retry-After"):
        shown.headers["Retry-After"] = retry_after
    return shown

"""The cookie that proves a session, and the token that each form of a page has."""

import hmac
from hashlib import sha256
from typing import Final

from starlette.responses import Response

COOKIE: Final = "actorline_session"
FORM_PURPOSE: Final = b"form"


def form_token(secret: str) -> str:
    """Return what each form of a page must send back: other sites can't read it."""
    return hmac.new(secret.encode("utf-8", "surrogateescape"), FORM_PURPOSE, sha256).hexdigest()


def keep_cookie(response: Response, cookie: str, *, is_https: bool) -> None:
    """Have the browser keep the cookie until it is closed: no script reads it, and no other site sends it."""
    response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=is_https, path="/")

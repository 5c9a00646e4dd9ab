"""Forms: read from a bounded body, and taken only from our own pages."""

import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

from actorline.errors import Code, Refused
from actorline.gateway.problems import Fault

FORM_BYTES: Final = 1_000_000
FORM_FIELDS: Final = 2_000
TOO_OLD: Final = "This page is too old, or it isn't ours. Nothing was changed. Reload it, and try again."


class Form(dict[str, list[str]]):
    """Name -> the values that were sent."""

    def first(self, name: str) -> str:
        """Return the first value; "" if there is none."""
        return self.get(name, [""])[0]


async def read_form(request: Request) -> Form:
    """Read the form of a request. Raises Fault (403) if another site sent it, and Fault (413) if it is too large."""
    check_own_origin(request.headers)
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > FORM_BYTES:
            raise Fault(413, Code.REQUEST_INVALID, f"The form has more than {FORM_BYTES:,} bytes. Nothing was changed.")
    try:
        return Form(parse_qs(body.decode(), keep_blank_values=True, max_num_fields=FORM_FIELDS))
    except ValueError:
        raise Refused(Code.REQUEST_INVALID, "The form can't be read. Nothing was changed.") from None


def check_own_origin(headers: Mapping[str, str]) -> None:
    """Refuse a form that a page of another site sent. Browsers say so; `Origin` also over plain HTTP."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_own = (
        site in {"same-origin", "none"} if site else origin is None or urlsplit(origin).netloc == headers.get("host")
    )
    if not is_own:
        raise Fault(403, Code.FORBIDDEN, "Another site sent this form. Nothing was changed.")


def check_token(form: Form, token: str) -> None:
    """Refuse a form that lacks the token of its page."""
    if not hmac.compare_digest(form.first("token").encode(), token.encode()):
        raise Fault(403, Code.FORBIDDEN, TOO_OLD)

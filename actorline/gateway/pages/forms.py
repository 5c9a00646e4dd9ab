"""Forms: read from a body that is bounded in size and time, and taken only from our own pages."""

import asyncio
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

from actorline.errors import Code, Refused
from actorline.gateway.problems import Fault

FORM_BYTES: Final = 1_000_000
SIGN_IN_BYTES: Final = 10_000  # of somebody who isn't known yet
FORM_SECS: Final = 30.0
FORM_FIELDS: Final = 2_000
TOO_OLD: Final = "This page is too old, or it isn't ours. Nothing was changed. Reload it, and try again."


class Form(dict[str, list[str]]):
    """Name -> the values that were sent."""

    def first(self, name: str) -> str:
        """Return the first value; "" if there is none."""
        return self.get(name, [""])[0]


async def read_form(request: Request, most_bytes: int = FORM_BYTES) -> Form:
    """Read the form of a request. Raises Fault: 413 as soon as it is too large, 408 if it arrives too slowly."""
    body = bytearray()
    try:
        async with asyncio.timeout(FORM_SECS):
            async for block in request.stream():
                body += block
                if len(body) > most_bytes:
                    message = f"The form has more than {most_bytes:,} bytes. Nothing was changed."
                    raise Fault(413, Code.REQUEST_INVALID, message)
    except TimeoutError:
        message = f"The form did not arrive within {FORM_SECS:g} s. Nothing was changed. Send it again."
        raise Fault(408, Code.REQUEST_INVALID, message) from None
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

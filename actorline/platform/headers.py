"""Headers of a response."""

import re

import requests


def int_header(response: requests.Response, name: str) -> int | None:
    """Return a header that is a count; None if it is absent or something else, also a number beyond 64 bits."""
    value = response.headers.get(name, "")
    return int(value) if re.fullmatch("[0-9]{1,18}", value) else None

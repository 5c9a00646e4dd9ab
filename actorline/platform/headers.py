"""Headers of a response."""

import requests


def int_header(response: requests.Response, name: str) -> int | None:
    """Return a header that is a count; None if it is absent or something else."""
    value = response.headers.get(name, "")
    return int(value) if value.isascii() and value.isdigit() else None

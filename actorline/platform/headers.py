"""Headers of a response."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests


def int_header(response: requests.Response, name: str) -> int | None:
    """Return a header that is a count; None if it is absent or something else, also a number beyond 64 bits.

    One that a proxy has doubled is the same count (RFC 9110, section 8.6); white space around it doesn't count.
    """
    values = {value.strip() for value in response.headers.get(name, "").split(",")}
    value = values.pop() if len(values) == 1 else ""
    return int(value) if re.fullmatch("[0-9]{1,18}", value) else None


def http_date(value: str) -> datetime | None:
    """Return the time that a header names; None if it is no date, or of a year that no clock reaches."""
    try:
        named = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return named if named.tzinfo else named.replace(tzinfo=UTC)

"""From what went wrong on the wire to one of our errors."""

import re
from datetime import UTC, datetime
from typing import Any, Final

import requests
import urllib3

from actorline.platform.body import Body
from actorline.platform.describe import bare_url, describe_fault, describe_request
from actorline.platform.errors import MissingLibrary, PlatformError, PlatformUnavailable, classify
from actorline.platform.json_text import parse_json
from actorline.platform.retry import parse_retry_after
from actorline.platform.session import NoSocks

# An error of the API is a few hundred bytes, more where it quotes an input (of 9 MB at most) that it refuses.
ERROR_BODY_MAX_BYTES: Final = 12 * 1024 * 1024
PAGE_MAX_BYTES: Final = 65_536  # an error page of a proxy may be any size, and says nothing

_TOKEN = re.compile(r"(apify_[a-z]+_|Bearer\s+)[\w.~+/=-]+")


def error_from_response(response: requests.Response) -> PlatformError:
    """Return the error that a response other than 2xx means; reads its body within bounds, and never raises.

    A 4xx without the API's `{"error": ...}` comes from something in between (a proxy, a firewall), which proves nothing
    about the platform: it is PlatformUnavailable, not a refusal. Only HEAD, which has no body, is judged by its status.
    """
    detail = _error_detail(response)
    type_, message = detail.get("type"), detail.get("message")
    type_ = type_ if isinstance(type_, str) else None
    status = response.status_code
    kind = classify(status, type_)
    if not detail and response.request.method != "HEAD" and not issubclass(kind, PlatformUnavailable):
        kind = PlatformUnavailable
    if not isinstance(message, str):
        message = response.reason if response.request.method == "HEAD" else "The response is not the API's"
    words = _without_token((message or "")[:PAGE_MAX_BYTES], response)
    error = kind(words, status=status, type=type_, request=describe_request(response))
    if isinstance(error, PlatformUnavailable):
        error.retry_after_s = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
    return error


def error_from_fault(
    error: requests.RequestException | urllib3.exceptions.HTTPError, *, method: str, url: str
) -> PlatformUnavailable:
    """Return the error for a request that got no whole response."""
    kind = MissingLibrary if isinstance(error, NoSocks) else PlatformUnavailable
    return kind(describe_fault(error), request=f"{method} {bare_url(url)}")


def _error_detail(response: requests.Response) -> dict[str, Any]:
    """Return the response's `error` (`docs/platform-facts.md#errors`), or {} if the body isn't the API's."""
    try:
        with Body(response) as body:
            is_json = "json" in body.content_type.lower()
            content = body.whole(most_bytes=ERROR_BODY_MAX_BYTES if is_json else PAGE_MAX_BYTES)
    except PlatformUnavailable:
        return {}
    data = parse_json(content)
    detail = data.get("error") if isinstance(data, dict) else None
    return detail if isinstance(detail, dict) else {}


def _without_token(message: str, response: requests.Response) -> str:
    """Return the text without the token: a platform that quotes it must not put it into our logs."""
    for sent in (response, *response.history):
        _, _, token = (sent.request.headers.get("Authorization") or "").partition(" ")
        message = message.replace(token, "***") if token else message
    return _TOKEN.sub(r"\1***", message)

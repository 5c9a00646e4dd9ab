"""The client of the platform's HTTP API: one pool of connections, calls that are safe to repeat, errors of our own."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import requests
import urllib3
from pydantic import SecretStr

from actorline.api_token import is_token
from actorline.outbound.http_status import is_success
from actorline.outbound.user_agent import USER_AGENT
from actorline.platform.body import Body
from actorline.platform.describe import describe_request
from actorline.platform.error_mapping import error_from_fault, error_from_response
from actorline.platform.errors import MissingLibrary, PlatformError, PlatformUnavailable
from actorline.platform.headers import int_header
from actorline.platform.json_text import parse_json
from actorline.platform.retry import next_wait, parse_retry_after
from actorline.platform.session import Meter, PlatformAdapter, open_session

Params = Mapping[str, str | int]
"""Query parameters as the platform writes them: booleans as `"true"`, lists joined by commas, times in UTC with `Z`."""

T = TypeVar("T")

logger = logging.getLogger(__name__)

# A worker has tens of threads, each with one request at a time.
POOL_SIZE: Final = 64
TURN_PATIENCE_SECS: Final = 30.0  # a waiting thread does nothing else, and its caller can come back later


@dataclass(frozen=True)
class RateFacts:
    """What a response says of the rate: the platform's limit (requests a second), and whether it refused this one."""

    rate_limit: int | None
    is_refused: bool
    retry_after_s: float | None


class Governor(Protocol):
    """Keeps the rate of everybody who asks the same platform."""

    def wait_for_turn(self, path: str, patience_s: float) -> None:
        """Return when a request may go out. Raises RateLimited if that is in more than `patience_s`."""

    def learn(self, path: str, facts: RateFacts) -> None: ...


def encode_query(params: Params) -> str:
    """Return the query as every server reads it: only forms take `+` for a space, and a comma separates the parts
    of a list.
    """
    return urlencode(params, safe=",", quote_via=quote)


class Platform:
    """One account at one API, shared by all threads of a process.

    Every method raises only PlatformError, and repeats its request within the bounds of `retry`.
    """

    def __init__(
        self,
        api_url: str,
        token: SecretStr,
        *,
        user_agent: str = USER_AGENT,
        connect_timeout_s: float = 10,
        read_timeout_s: float = 30,
        governor: Governor | None = None,
        meter: Meter | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Keep the server's root, `api_url`, with or without `/v2`; `read_timeout_s` bounds the silence between two
        bytes.

        Raises ValueError, which never shows the token, for a URL or a token that can't be used.
        """
        self.api_root: Final = _api_root(api_url)
        """The URL all paths are under; ends in `/v2`, without a slash."""
        self.user_agent: Final = user_agent
        self.timeouts: Final = (connect_timeout_s, read_timeout_s)
        """Seconds to connect, and seconds of silence."""
        self._token = _checked(token)
        self._governor = governor
        self._meter = meter
        self._sleep = sleep
        self._session = _open_pool(self._token, user_agent, meter)

    def __repr__(self) -> str:
        return f"Platform({self.api_root!r}, {self._token!r}, user_agent={self.user_agent!r})"

    def open_session(self, adapter: PlatformAdapter) -> requests.Session:
        """Return a session of the caller's own, with the same token, proxies and authorities."""
        return open_session(self._token, adapter, self._meter)

    def close(self) -> None:
        """Close the idle connections; responses still open are their readers' to close."""
        self._session.close()

    def wait_for_turn(self, path: str, patience_s: float = TURN_PATIENCE_SECS) -> None:
        """Return when a request to `path` may go out. Raises RateLimited if the platform asked for a longer wait."""
        if self._governor:
            self._governor.wait_for_turn(path, patience_s)

    def learn_rate(self, path: str, response: requests.Response) -> None:
        """Let all who ask the same platform know what a response to `path` says of the rate."""
        if self._governor:
            self._governor.learn(path, _rate_facts(response))

    def get_data(
        self, path: str, params: Params | None = None, *, silence_s: float | None = None, is_repeated: bool = True
    ) -> Any:
        """GET `path` (below `api_root`, such as `actor-runs/abc`) and return the response's `data`."""
        return self._call("GET", path, params, _unwrap, stream=True, silence_s=silence_s, is_repeated=is_repeated)

    def post_data(self, path: str, params: Params | None = None) -> Any:
        """POST without a body, for what has the same effect when it comes twice, such as an abort; returns `data`."""
        return self._call("POST", path, params, _unwrap, stream=True)

    def post_json(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST a JSON object, for what has the same effect when it comes twice (an idempotency key); returns `data`."""
        return self._call("POST", path, None, _unwrap, stream=True, body=body)

    def delete(self, path: str) -> None:
        """DELETE `path`; a repetition may find it gone already: NotFound."""
        self._call("DELETE", path, None, requests.Response.close, stream=True)

    def stream(
        self,
        path: str,
        params: Params | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        silence_s: float | None = None,
    ) -> requests.Response:
        """GET `path` and return the response with its body unread and undecoded in `raw`. The caller closes it.

        `silence_s`: instead of `read_timeout_s`, for a response that the platform takes long to make.
        """
        return self._call(
            "GET", path, params, lambda response: response, headers=headers, stream=True, silence_s=silence_s
        )

    def head(self, path: str, params: Params | None = None) -> requests.Response:
        """HEAD `path`: the response for its headers; there is nothing to close."""
        return self._call("HEAD", path, params, lambda response: response)

    def _call(
        self,
        method: str,
        path: str,
        params: Params | None,
        read: Callable[[requests.Response], T],
        *,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        silence_s: float | None = None,
        body: Mapping[str, Any] | None = None,
        is_repeated: bool = True,
    ) -> T:
        began = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            try:
                return read(
                    self._send(method, path, params, headers=headers, stream=stream, silence_s=silence_s, body=body)
                )
            except PlatformError as error:
                error.attempts = attempt
                wait_s = self._wait_after(error, elapsed_s=time.monotonic() - began) if is_repeated else None
                if wait_s is None:
                    raise
                logger.warning(
                    "platform_call_repeated",
                    extra={"request": error.request, "status": error.status, "attempt": attempt, "wait_s": wait_s},
                )
            self._sleep(wait_s)

    def _wait_after(self, error: PlatformError, *, elapsed_s: float) -> float | None:
        if not isinstance(error, PlatformUnavailable) or isinstance(error, MissingLibrary):
            return None
        return next_wait(error.attempts, elapsed_s=elapsed_s, retry_after_s=error.retry_after_s, random=random.random)

    def _send(
        self,
        method: str,
        path: str,
        params: Params | None,
        *,
        headers: Mapping[str, str] | None,
        stream: bool,
        silence_s: float | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> requests.Response:
        url = f"{self.api_root}/{path.lstrip('/')}"
        self.wait_for_turn(path)
        try:
            response = self._session.request(
                method,
                url,
                params=encode_query(params or {}),
                json=body,
                headers=headers,
                timeout=(self.timeouts[0], silence_s or self.timeouts[1]),
                stream=stream,
                allow_redirects=method != "POST",  # a redirected POST would become a GET
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise error_from_fault(error, method=method, url=url) from error
        self.learn_rate(path, response)
        if is_success(response.status_code) and response.status_code != HTTPStatus.PARTIAL_CONTENT:
            return response
        with response:
            raise error_from_response(response)


def _open_pool(token: SecretStr, user_agent: str, meter: Meter | None) -> requests.Session:
    """Return one pool of connections for all threads."""
    session = open_session(token, PlatformAdapter(pool_maxsize=POOL_SIZE, pool_block=False), meter)
    session.headers.update({"User-Agent": user_agent, "Accept": "*/*"})
    return session


def _rate_facts(response: requests.Response) -> RateFacts:
    """Return what a response says of the rate: `docs/platform-facts.md#rate-limits`."""
    retry_after_s = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
    is_overloaded = response.status_code == HTTPStatus.SERVICE_UNAVAILABLE and retry_after_s is not None
    return RateFacts(
        rate_limit=int_header(response, "X-RateLimit-Limit"),
        is_refused=response.status_code == HTTPStatus.TOO_MANY_REQUESTS or is_overloaded,
        retry_after_s=retry_after_s,
    )


def _api_root(api_url: str) -> str:
    root = api_url.rstrip("/").removesuffix("/v2").rstrip("/")
    parts = urlsplit(root)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or "@" in root:
        raise ValueError("The API's URL must look like https://api.apify.com, without user, query or fragment")
    return f"{root}/v2"


def _checked(token: SecretStr) -> SecretStr:
    """Refuse here what the HTTP layer would refuse later with the token in its message."""
    if not is_token(token.get_secret_value()):
        raise ValueError("The API token is empty, or has a space, a line break or another character no token has")
    return token


def _unwrap(response: requests.Response) -> Any:
    """Return the response's `data`: `docs/platform-facts.md#envelope`."""
    with Body(response) as body:
        content = parse_json(body.whole())
    if isinstance(content, dict) and "data" in content:
        return content["data"]
    raise PlatformUnavailable(
        "The response is not the API's: no `data` in it",
        status=response.status_code,
        request=describe_request(response),
    )

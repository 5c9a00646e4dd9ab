"""One way to open a session to the platform: the same token, proxies and authorities for every request.

Proxies (`HTTPS_PROXY`, `NO_PROXY`, ...) and authorities (`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE`,
`SSL_CERT_DIR`) come from the environment, credentials never do.
"""

import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import requests
import urllib3
from pydantic import SecretStr
from requests.auth import AuthBase

from actorline.outbound.adapter import OutboundAdapter
from actorline.outbound.authorities import authorities_context
from actorline.platform.headers import int_header

# A record is redirected once, to the storage: docs/platform-facts.md#records
MAX_REDIRECTS: Final = 5
REDIRECT_BYTES: Final = 64 * 1024  # are read, so that the connection can be used again


class NoSocks(requests.exceptions.ProxyError):
    """The environment names a SOCKS proxy, and its library is not installed."""


class Meter(Protocol):
    """Takes note of each request that was sent: `status` is None where no response came."""

    def note_request(self, method: str, path: str, status: int | None, seconds: float) -> None: ...


class PlatformAdapter(OutboundAdapter):
    """Also verifies a proxy that is spoken to by TLS itself, names what a SOCKS proxy needs, and has each request
    measured, until the head of its response is there.
    """

    meter: Meter | None = None

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        began, status = time.monotonic(), None
        try:
            response = super().send(request, *args, **options)
            status = response.status_code
            return response
        finally:
            if self.meter:
                self.meter.note_request(str(request.method), request.path_url, status, time.monotonic() - began)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        if proxy.lower().startswith("https"):
            options["proxy_ssl_context"] = authorities_context()
        try:
            return super().proxy_manager_for(proxy, **options)
        except requests.exceptions.InvalidSchema:
            raise NoSocks(
                urllib3.exceptions.HTTPError(
                    "the environment names a SOCKS proxy, which needs PySocks: pip install pysocks"
                )
            ) from None


class BearerAuth(AuthBase):
    """The token as a header. Set on the session, it also keeps requests from putting `~/.netrc` in its place."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return request


class PlatformSession(requests.Session):
    """A session that takes proxies and certificates from the environment, but no credentials from `~/.netrc`."""

    def __init__(self) -> None:
        super().__init__()
        self._proxies_to: dict[str, dict[str, str]] = {}

    def merge_environment_settings(
        self, url: str | bytes | None, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Return the settings of one request. The environment's proxies are read once for each host: that takes as
        long as a fifth of the request.
        """
        parts = urlsplit(str(url))
        origin = f"{parts.scheme}://{parts.netloc}"
        known = self._proxies_to.get(origin)
        if known is None:
            settings = super().merge_environment_settings(url, {}, stream, verify, cert)
            known = self._proxies_to[origin] = dict(settings["proxies"])
        return {
            "proxies": {**known, **(proxies or {})},
            "stream": self.stream if stream is None else stream,
            "verify": self.verify,  # the adapter has the authorities
            "cert": cert,
        }

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where a response redirects to. A large body, or one without a length, is left unread with its
        connection: requests would read all of it. Raises InvalidURL where requests would let a bare ValueError out.
        """
        try:
            target = super().get_redirect_target(resp)
            _ = urlsplit(target or "").port  # a bad one is noticed only where it is read
        except ValueError as error:
            resp.close()  # nobody gets to see it
            raise requests.exceptions.InvalidURL("the response redirects to what is no URL") from error
        length = int_header(resp, "Content-Length")
        if target is not None and (length is None or length > REDIRECT_BYTES):
            resp.close()
            resp._content = b""  # noqa: SLF001 - what requests takes for a body that was read
        return target

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Drop the token on the way to another host, port, or from https to http; add nothing in its place."""
        is_elsewhere = self.should_strip_auth(response.request.url, prepared_request.url)  # type: ignore[no-untyped-call]  # the stubs lack it
        if is_elsewhere:
            prepared_request.headers.pop("Authorization", None)


def open_session(token: SecretStr, adapter: PlatformAdapter, meter: Meter | None = None) -> PlatformSession:
    """Return a session whose requests carry the token, go through `adapter`, and are measured by `meter`."""
    adapter.meter = meter
    session = PlatformSession()
    session.auth = BearerAuth(token)
    session.headers["Accept-Encoding"] = "gzip"  # requests adds others where it finds a library for them
    session.max_redirects = MAX_REDIRECTS
    # Threads share the session: nothing may change it, so no response may leave a cookie in it.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session

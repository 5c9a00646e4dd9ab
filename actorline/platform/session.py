"""One way to open a session to the platform: the same token, proxies and authorities for every request.

Proxies (`HTTPS_PROXY`, `NO_PROXY`, ...) and authorities (`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE`,
`SSL_CERT_DIR`) come from the environment, credentials never do.
"""

import os
import ssl
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final

import requests
import urllib3
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

# A record is redirected once, to the storage (fact sheet, section 7).
MAX_REDIRECTS: Final = 5
AUTHORITIES_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


class PlatformAdapter(HTTPAdapter):
    """Verifies every server by one context: requests would read the list of authorities anew for each connection,
    which takes 24 ms of CPU.
    """

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        del verify  # the environment's, which the context holds already
        host, options = super().build_connection_pool_key_attributes(request, verify=True, cert=cert)
        return host, {**options, "ssl_context": _context()} if host["scheme"] == "https" else options

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """A proxy that is spoken to by TLS itself is verified in the same way."""
        if proxy.lower().startswith("https"):
            options["proxy_ssl_context"] = _context()
        try:
            return super().proxy_manager_for(proxy, **options)
        except requests.exceptions.InvalidSchema:
            message = "the environment names a SOCKS proxy, which needs PySocks: pip install pysocks"
            raise requests.exceptions.ProxyError(urllib3.exceptions.HTTPError(message)) from None

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the pool as it is: it has the context."""


class BearerAuth(AuthBase):
    """The token as a header. Set on the session, it also keeps requests from putting `~/.netrc` in its place."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return request


class PlatformSession(requests.Session):
    """A session that takes proxies and certificates from the environment, but no credentials from `~/.netrc`."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Drops the token on the way to another host, port, or from https to http; adds nothing in its place."""
        is_elsewhere = self.should_strip_auth(response.request.url, prepared_request.url)  # type: ignore[no-untyped-call]  # the stubs lack it
        if is_elsewhere:
            prepared_request.headers.pop("Authorization", None)


def open_session(token: SecretStr, adapter: HTTPAdapter) -> PlatformSession:
    """Return a session whose requests carry the token and go through `adapter`."""
    session = PlatformSession()
    session.auth = BearerAuth(token)
    session.max_redirects = MAX_REDIRECTS
    # Threads share the session: nothing may change it, so no response may leave a cookie in it.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _context() -> ssl.SSLContext:
    """The context of the authorities that the environment names, or else certifi's.

    Raises requests' SSLError with words for a file that can't be read.
    """
    named = next((variable for variable in AUTHORITIES_VARIABLES if os.environ.get(variable)), None)
    place = os.environ[named] if named else DEFAULT_CA_BUNDLE_PATH
    try:
        return _context_of(place)
    except OSError as error:  # ssl.SSLError, of a file that holds no certificate, is one
        message = f"{named or 'certifi'} names {place}, which can't be read as certificates: {error}"
        raise requests.exceptions.SSLError(urllib3.exceptions.SSLError(message)) from None


@cache
def _context_of(place: str) -> ssl.SSLContext:
    context = create_urllib3_context()
    folder = Path(place).is_dir()
    context.load_verify_locations(capath=place if folder else None, cafile=None if folder else place)
    return context

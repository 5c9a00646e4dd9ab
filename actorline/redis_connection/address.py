"""Addresses of Redis as Celery, kombu and redis-py all read them: check, next database, masking.

`redis://HOST/0`, `rediss://HOST/0` (TLS), `redis+socket:///PATH?virtual_host=0`, or the sentinels that know which
server is the primary: `sentinel://HOST,HOST/0?master=NAME`, `sentinels://` (TLS). Each with `USER:PASSWORD@` if needed.
"""

import ssl
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

SOCKET: Final = "redis+socket"
TLS: Final = "rediss"
SENTINEL: Final = "sentinel"
SENTINEL_TLS: Final = "sentinels"
MASK: Final = "***"
SENTINEL_PORT: Final = 26379
_CERT_REQS: Final = ("required", "optional", "none")
_FILES: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_TLS_PARAMETERS: Final = _FILES | {"ssl_cert_reqs"}
_SENTINEL_PARAMETERS: Final = frozenset({"master", "sentinel_username", "sentinel_password"})
_PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    "redis": frozenset(),
    TLS: _TLS_PARAMETERS,
    SOCKET: frozenset({"virtual_host"}),
    SENTINEL: _SENTINEL_PARAMETERS,
    SENTINEL_TLS: _SENTINEL_PARAMETERS | _TLS_PARAMETERS,
}
_ENCODE: Final = "a password with / ? # : @ is percent-encoded"


def checked_address(url: str) -> str:
    """Return the address in a form that all three clients understand. Raises ValueError if it can't be used.

    Over TLS the server's certificate is verified unless `ssl_cert_reqs` says otherwise; Celery's result back end wants
    that parameter, kombu and redis-py have it as their default.
    """
    parts = urlsplit(url)
    if "cluster" in parts.scheme:
        raise ValueError(
            "names a Redis Cluster, which spreads a job's keys over several servers; that isn't supported: name a "
            "single Redis or Valkey, or its sentinels"
        )
    if parts.scheme not in _PARAMETERS:
        raise ValueError("must begin with redis://, rediss://, redis+socket://, sentinel:// or sentinels://")
    _check_servers(parts)
    _database(parts)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(given.keys() - _PARAMETERS[parts.scheme]):
        raise ValueError(_why_unknown(parts.scheme, unknown[0]))
    parts = parts._replace(netloc=_encoded_credentials(parts))
    if is_sentinel(url) and not given.get("master"):
        raise ValueError("must name the primary as its sentinels know it: ?master=mymaster")
    if tls_parameters(url) is not None:
        given = _checked_tls(given)
    return _with_query(parts, given) if parts.scheme != SOCKET else url.replace(urlsplit(url).netloc, parts.netloc, 1)


def is_sentinel(url: str) -> bool:
    """Return whether the address names sentinels, so that another server may be promoted to the primary."""
    return urlsplit(url).scheme in {SENTINEL, SENTINEL_TLS}


def tls_parameters(url: str) -> dict[str, str] | None:
    """Return the parameters of a checked address that are about TLS; None: it goes without."""
    parts = urlsplit(url)
    if parts.scheme not in {TLS, SENTINEL_TLS}:
        return None
    return {name: value for name, value in parse_qsl(parts.query) if name in _TLS_PARAMETERS}


def servers(parts: SplitResult) -> Sequence[tuple[str, int]]:
    """Return host and port of each sentinel. Raises ValueError for a port that is none."""
    named = [urlsplit(f"//{server}") for server in parts.netloc.rpartition("@")[2].split(",")]
    return [(each.hostname or "", each.port or SENTINEL_PORT) for each in named]


def next_database(url: str) -> str:
    """Return the address of the same server's next database: `redis://h/0` -> `redis://h/1`."""
    parts = urlsplit(url)
    following = _database(parts) + 1
    if parts.scheme == SOCKET:
        return f"{SOCKET}://{parts.netloc}{parts.path}?virtual_host={following}"
    return urlunsplit(parts._replace(path=f"/{following}"))


def socket_address(path: Path) -> str:
    """Return the address of a Unix socket; characters of the path that are special in an address are quoted."""
    return f"{SOCKET}://{quote(str(path))}"


def with_password(url: str, password: str) -> str:
    """Return the address with this password, unless it already has one."""
    parts = urlsplit(url)
    if parts.password is not None:
        return url
    user, _, host = parts.netloc.rpartition("@")
    netloc = f"{user}:{quote(password, safe='')}@{host}"
    return f"{parts.scheme}://{netloc}{url.removeprefix(f'{parts.scheme}://{parts.netloc}')}"


def with_sentinel_password(url: str, password: str) -> str:
    """Return the address with this password of the sentinels themselves, unless it has one or names no sentinels."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    if not is_sentinel(url) or "sentinel_password" in given:
        return url
    return _with_query(parts, {**given, "sentinel_password": password})


def masked_address(url: str) -> str:
    """Return the address with its passwords masked, for display."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    if "sentinel_password" in given:
        url = _with_query(parts, {**given, "sentinel_password": MASK})
    if parts.password is None:
        return url
    credentials, _, host = parts.netloc.rpartition("@")
    user = credentials.partition(":")[0]
    return url.replace(f"://{parts.netloc}", f"://{user}:{MASK}@{host}", 1)


def _database(parts: SplitResult) -> int:
    given = dict(parse_qsl(parts.query)).get("virtual_host", 0) if parts.scheme == SOCKET else parts.path.strip("/")
    try:
        return int(given or 0)
    except ValueError:
        raise ValueError(f"the database at its end must be a number; {_ENCODE}") from None


def _check_servers(parts: SplitResult) -> None:
    if parts.scheme == SOCKET:
        return
    try:
        named = servers(parts)
    except ValueError:
        raise ValueError(f"its port must be a number up to 65535; {_ENCODE}") from None
    if parts.scheme in {SENTINEL, SENTINEL_TLS}:
        if not all(host for host, _ in named):
            raise ValueError("each sentinel must be HOST or HOST:PORT, separated by commas")
    elif len(named) > 1:
        raise ValueError(
            "names several servers, and a Redis Cluster isn't supported; sentinels are named by sentinel://HOST,HOST"
        )


def _encoded_credentials(parts: SplitResult) -> str:
    """Return user, password and host with each special character encoded: kombu splits an address at `;`."""
    credentials, at, host = parts.netloc.rpartition("@")
    return ":".join(_quoted(unquote(part)) for part in credentials.split(":", 1)) + at + host


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _why_unknown(scheme: str, name: str) -> str:
    if name in {"password", "username"}:
        return f"can't have {name}= as a parameter; begin with {scheme}://USER:PASSWORD@, USER may be empty"
    if name in _TLS_PARAMETERS:
        return f"{name} needs TLS: begin with {SENTINEL_TLS if scheme == SENTINEL else TLS}://"
    known = ", ".join(sorted(_PARAMETERS[scheme]))
    return f"has a parameter {name} that is not known here{f'; known: {known}' if known else ''}"


def _checked_tls(given: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters as all clients know them: redis-py's `required` is Celery's `CERT_REQUIRED`."""
    wanted = given.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if wanted not in _CERT_REQS:
        raise ValueError(f"ssl_cert_reqs must be {', '.join(_CERT_REQS[:-1])} or {_CERT_REQS[-1]}")
    for name in sorted(_FILES & given.keys()):
        if not Path(given[name]).is_absolute() or not Path(given[name]).is_file():
            raise ValueError(f"{name} must be the absolute path of an existing file")
    _check_certificates(given.get("ssl_ca_certs"), given.get("ssl_certfile"), given.get("ssl_keyfile"))
    return {**given, "ssl_cert_reqs": wanted}


@cache
def _check_certificates(authorities: str | None, certificate: str | None, key: str | None) -> None:
    """Raise ValueError if the files can't be used: later that can't be told from a server that speaks no TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if authorities:
            context.load_verify_locations(authorities)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"ssl_ca_certs can't be read as certificates ({_why_unreadable(error)})") from None
    if key and not certificate:
        raise ValueError("ssl_keyfile needs ssl_certfile, the certificate that the key belongs to")
    try:
        if certificate:
            context.load_cert_chain(certificate, key, password="")  # without one OpenSSL asks at the terminal
    except OSError as error:
        raise ValueError(
            f"ssl_certfile can't be used with its key ({_why_unreadable(error)}): both are PEM, and the key, in "
            "ssl_keyfile or in the same file, belongs to the certificate and has no pass phrase"
        ) from None


def _why_unreadable(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not found").lower().replace("_", " ")
    return str(error.strerror)


def _with_query(parts: SplitResult, query: Mapping[str, str]) -> str:
    return urlunsplit(parts._replace(query=urlencode(query, safe="/*", quote_via=quote)))

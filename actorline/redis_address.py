"""Addresses of Redis as Celery, kombu and redis-py all read them: check, next database, masking.

`redis://HOST/0`, `rediss://HOST/0` (TLS) or `redis+socket:///PATH?virtual_host=0`, each with `USER:PASSWORD@` if
needed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

SOCKET: Final = "redis+socket"
TLS: Final = "rediss"
MASK: Final = "***"
_CERT_REQS: Final = ("required", "optional", "none")
_FILES: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    "redis": frozenset(),
    TLS: _FILES | {"ssl_cert_reqs"},
    SOCKET: frozenset({"virtual_host"}),
}


def checked_address(url: str) -> str:
    """Return the address in a form that all three clients understand. Raises ValueError if it can't be used.

    Over TLS the server's certificate is verified unless `ssl_cert_reqs` says otherwise; Celery's result back end wants
    that parameter, kombu and redis-py have it as their default.
    """
    parts = urlsplit(url)
    if "sentinel" in parts.scheme:
        raise ValueError("Redis Sentinel isn't supported yet: name the primary's own address, redis:// or rediss://")
    if parts.scheme not in _PARAMETERS:
        raise ValueError("must begin with redis://, rediss:// or redis+socket://")
    _database(parts)
    _check_port(parts)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(given.keys() - _PARAMETERS[parts.scheme]):
        raise ValueError(_why_unknown(parts.scheme, unknown[0]))
    if parts.scheme != TLS:
        return url
    return _with_query(parts, _checked_tls(given))


def tls_parameters(url: str) -> dict[str, str] | None:
    """Return the parameters of a checked `rediss://` address; None for any other."""
    parts = urlsplit(url)
    return dict(parse_qsl(parts.query)) if parts.scheme == TLS else None


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


def masked_address(url: str) -> str:
    """Return the address with its password masked, for display."""
    parts = urlsplit(url)
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
        raise ValueError("the database at its end must be a number") from None


def _check_port(parts: SplitResult) -> None:
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(
            "its port must be a number up to 65535; a password with / ? # : @ is percent-encoded"
        ) from None


def _why_unknown(scheme: str, name: str) -> str:
    if name in _PARAMETERS[TLS]:
        return f"{name} needs TLS: begin with rediss://"
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
    return {**given, "ssl_cert_reqs": wanted}


def _with_query(parts: SplitResult, query: Mapping[str, str]) -> str:
    return urlunsplit(parts._replace(query=urlencode(query, safe="/", quote_via=quote)))

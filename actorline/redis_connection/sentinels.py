"""What each client of Redis is told to find the primary by its sentinels.

kombu and Celery take several addresses in one, and the rest as options; redis-py takes objects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from actorline.redis_connection.address import SENTINEL, is_sentinel, servers, tls_parameters
from actorline.redis_connection.primary import PrimaryConnection, PrimaryTLSConnection

SENTINEL_SECS: Final = 1.0  # the next one is asked then
SILENT_SECS: Final = 30.0
FAILED_SECS: Final = 5.0  # a process has several connections, and finds out one after the other


def patience_s(url: str) -> float:
    """Return how long a server of Celery's may be silent: with sentinels it has a successor then."""
    return FAILED_SECS if is_sentinel(url) else SILENT_SECS


@dataclass(frozen=True)
class SentinelAddress:
    """The parts of a checked `sentinel://` or `sentinels://` address."""

    sentinels: Sequence[tuple[str, int]]
    master: str
    database: int
    username: str | None
    password: str | None
    sentinel_username: str | None
    sentinel_password: str | None
    tls: Mapping[str, str] | None

    @classmethod
    def parse(cls, url: str) -> Self:
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query))
        return cls(
            sentinels=servers(parts),
            master=given["master"],
            database=int(parts.path.strip("/") or 0),
            username=unquote(parts.username or "") or None,
            password=unquote(parts.password or "") or None,
            sentinel_username=given.get("sentinel_username"),
            sentinel_password=given.get("sentinel_password"),
            tls=tls_parameters(url),
        )

    @property
    def celery_address(self) -> str:
        """Return what kombu and Celery's result back end read: one address for each sentinel."""
        user = quote(self.username or "", safe="")
        login = f"{user}:{quote(self.password, safe='*')}@" if self.password else ""
        hosts = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.sentinels)
        return ";".join(f"{SENTINEL}://{login}{host}/{self.database}" for host in hosts)

    @property
    def transport_options(self) -> dict[str, Any]:
        """Return what kombu and Celery's result back end need besides."""
        return {"master_name": self.master, "sentinel_kwargs": self._sentinel_options()}

    @property
    def shown_options(self) -> dict[str, Any]:
        """Return the part of these that a service can't do without."""
        login = self._sentinel_login()
        return {"master_name": self.master, **({"sentinel_kwargs": login} if login else {})}

    def connection_pool(self, **options: Any) -> SentinelConnectionPool:
        """Return connections to whichever server is the primary when they are opened. `options`: of redis-py's."""
        kind = PrimaryConnection if self.tls is None else PrimaryTLSConnection
        sentinel = Sentinel(self.sentinels, sentinel_kwargs=self._sentinel_options())
        login = {"username": self.username, "password": self.password, "db": self.database, **(self.tls or {})}
        return SentinelConnectionPool(self.master, sentinel, connection_class=kind, **login, **options)

    def _sentinel_options(self) -> dict[str, Any]:
        """Return how a sentinel is asked: once, as another one knows the same."""
        return {
            **self._sentinel_login(),
            "socket_timeout": SENTINEL_SECS,
            "socket_connect_timeout": SENTINEL_SECS,
            "retry": Retry(NoBackoff(), 0),
        }

    def _sentinel_login(self) -> dict[str, Any]:
        login = {"username": self.sentinel_username, "password": self.sentinel_password}
        tls = {"ssl": True, **self.tls} if self.tls is not None else {}
        return {name: value for name, value in login.items() if value} | tls

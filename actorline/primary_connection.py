"""Connections that leave a server as soon as it isn't a primary in service any more.

redis-py asks the sentinels again when a server is lost or says that it is read-only. During a handover the old primary
says other things first: for seconds it accepts connections but no writes, as its replicas have left it, and a client
that waits at it is sent away.
"""

from typing import Any, Final

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

OUT_OF_SERVICE: Final = ("NOREPLICAS", "UNBLOCKED", "MASTERDOWN")


class NotInService(RedisConnectionError):
    """The server accepts no writes: it has a successor, or too few replicas."""


class Leaving:
    """Mixed into a connection of redis-py's."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Return the reply; close the connection and raise NotInService if it says that this is the wrong server."""
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]  # of the class that it is mixed into
        except ResponseError as error:
            if not str(error).startswith(OUT_OF_SERVICE):
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise NotInService(str(error)) from error


class PrimaryConnection(Leaving, SentinelManagedConnection):
    """Of redis-py's pools, kombu's channels and Celery's result back end."""


class PrimaryTLSConnection(Leaving, SentinelManagedSSLConnection):
    """The same by TLS."""

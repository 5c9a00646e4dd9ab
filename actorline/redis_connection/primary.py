"""Connections to the primary that sentinels name, which leave a server as soon as it isn't in service any more.

redis-py asks the sentinels when it connects for the first time, but goes back to the same server when a command is
repeated: six times to one that is frozen (redis-py issue 3874). It leaves a server that says that it is read-only, but
during a handover the old primary says other things first: for seconds it accepts connections and no writes, as its
replicas have left it, and a client that waits at it is sent away.
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

    connection_pool: Any
    disconnect: Any

    def _connect(self) -> Any:
        """Return a socket to whichever server is the primary now."""
        self.host, self.port = self.connection_pool.get_master_address()
        return super()._connect()  # type: ignore[misc]  # of the class that this is mixed into

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Return the reply; close the connection and raise NotInService if it says that this is the wrong server."""
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except ResponseError as error:
            if not str(error).startswith(OUT_OF_SERVICE):
                raise
            self.disconnect()
            raise NotInService(str(error)) from error


class PrimaryConnection(Leaving, SentinelManagedConnection):
    """Of redis-py's pools, kombu's channels and Celery's result back end."""


class PrimaryTLSConnection(Leaving, SentinelManagedSSLConnection):
    """The same by TLS."""

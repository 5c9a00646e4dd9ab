"""What a fault of Redis is, in words that hold no address and no password."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Final

import redis
from redis import exceptions
from redis.sentinel import MasterNotFoundError

from actorline.redis_connection.primary import NotInService

SERVER_WORDS_MAX_CHARS: Final = 200
FAULT_KINDS: Final[Mapping[type[redis.RedisError], str]] = {  # the first that fits: some are kinds of others
    MasterNotFoundError: "no sentinel that responds knows a primary of that name; check master= and sentinel_password=",
    NotInService: "its primary accepts no writes: another one is about to be promoted, or it has too few replicas",
    exceptions.AuthenticationError: "it rejects the password, or wants one",
    exceptions.BusyLoadingError: "it is still loading its data",
    exceptions.ReadOnlyError: "it is a read-only replica; use the primary's address",
    exceptions.OutOfMemoryError: "it refuses writes because its memory is full; raise its maxmemory",
    exceptions.TimeoutError: "it does not respond in time",
    exceptions.ConnectionError: "no connection",
}
NO_SUCH_DATABASE: Final = (
    "it has no database of the number that an address names; each of the broker, the results and the ledger has one of "
    "its own, and a Redis Cluster, which isn't supported, has only the first"
)
DISK_FULL: Final = "it refuses writes because it can't write to its own disk; free some space there"


UNTRUSTED: Final = "its certificate is not trusted ({why}); {cure}"
NAME_ITS_CA: Final = "name its CA in the address: ?ssl_ca_certs=/path/ca.pem"
CURES: Final[Mapping[int, str]] = {  # by OpenSSL's X509_V_ERR_
    9: "it is for later: compare this machine's clock",
    10: "renew it, or compare this machine's clock",
    62: "write the host in the address as the certificate names it",
    64: "write the host in the address as the certificate names it",
}
CLOSES: Final = "no connection: it closes each at once; if that port is for TLS, begin the address with rediss://"
CLOSED_BY_SERVER: Final = ("Connection reset by peer", "Connection closed by server")
OWN_CERTIFICATE: Final = (
    "a certificate of the client's own, signed by a CA that it trusts: ?ssl_certfile=/path/cert.pem"
    "&ssl_keyfile=/path/key.pem"
)
NO_CERTIFICATE: Final = f"it wants {OWN_CERTIFICATE}"
CLOSED: Final = f"it ended the TLS connection at once; it may want {OWN_CERTIFICATE}"
ALERTS: Final = ("ALERT_CERTIFICATE", "ALERT_BAD_CERTIFICATE", "ALERT_UNKNOWN_CA", "ALERT_HANDSHAKE_FAILURE")
NO_TLS: Final = "it does not speak TLS on that port; use redis://, or its TLS port"


def describe_fault(error: Exception) -> str:
    """Return what is wrong and, where that isn't plain, how to fix it: what follows "Redis can't be used: "."""
    from kombu.exceptions import OperationalError

    if words := _tls_fault(error):
        return words
    if isinstance(error, (OperationalError, RuntimeError)):  # what kombu and Celery's back end make of another one
        cause = next((cause for cause in _causes(error) if isinstance(cause, redis.RedisError)), None)
        return describe_fault(cause) if cause else "no connection"
    if "MISCONF" in str(error):  # redis-py has no class for it
        return DISK_FULL
    if "DB index is out of range" in str(error):  # nor for this
        return NO_SUCH_DATABASE
    if isinstance(error, exceptions.ConnectionError) and any(words in str(error) for words in CLOSED_BY_SERVER):
        return CLOSES
    fitting = (words for kind, words in FAULT_KINDS.items() if isinstance(error, kind))
    return next(fitting, str(error)[:SERVER_WORDS_MAX_CHARS])


def is_tls_fault(error: BaseException) -> bool:
    """Return whether the server was reached, but TLS with it was not possible."""
    return _tls_fault(error) is not None


def _tls_fault(error: BaseException) -> str | None:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why, cure = cause.verify_message.rstrip("."), CURES.get(cause.verify_code, NAME_ITS_CA)
            return UNTRUSTED.format(why=why, cure=cure)
        if isinstance(cause, ssl.SSLEOFError):  # the alert that says why is lost if the server closes first
            return CLOSED
        if isinstance(cause, ssl.SSLError):
            return NO_CERTIFICATE if any(alert in str(cause) for alert in ALERTS) else NO_TLS
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

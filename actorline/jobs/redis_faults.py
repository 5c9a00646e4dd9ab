"""What a fault of Redis is, in words that hold no address and no password."""

from collections.abc import Mapping
from typing import Final

import redis
from kombu.exceptions import OperationalError
from redis import exceptions

SERVER_WORDS_MAX_CHARS: Final = 200
KINDS: Final[Mapping[type[redis.RedisError], str]] = {  # the first that fits: some are kinds of others
    exceptions.AuthenticationError: "it wants another password",
    exceptions.BusyLoadingError: "it is still loading its data",
    exceptions.ReadOnlyError: "it is a read-only replica; name the primary",
    exceptions.OutOfMemoryError: "it refuses writes, for its memory is full; raise its maxmemory",
    exceptions.TimeoutError: "it does not answer in time",
    exceptions.ConnectionError: "no connection",
}
DISK_FULL: Final = "it refuses writes, for it can't write to its own disk; make room there"


def describe_fault(error: Exception) -> str:
    """What is wrong and, where that isn't plain, how to mend it: what ends the sentence "Redis can't be used: "."""
    if isinstance(error, OperationalError):  # what kombu makes of another one
        return describe_fault(error.__cause__) if isinstance(error.__cause__, Exception) else "no connection"
    if "MISCONF" in str(error):  # redis-py has no class for it
        return DISK_FULL
    fitting = (words for kind, words in KINDS.items() if isinstance(error, kind))
    return next(fitting, str(error)[:SERVER_WORDS_MAX_CHARS])

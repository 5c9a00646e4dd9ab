"""How the stack of a home and the commands that use it find each other: by three files there."""

import fcntl
from typing import IO, Final

STATE_FILE: Final = "stack.json"
"""What is running, and where; written by the stack."""
LOCK_FILE: Final = "stack.lock"
"""Locked by the stack for as long as it runs."""
USERS_FILE: Final = "stack.users"
"""Locked by each command that uses the stack, together with others; the stack ends when it can lock it alone."""

PASSWORD_FILE: Final = "redis.password"  # noqa: S105 - the name of a file
"""Of the embedded Valkey, once `actorline up --redis-port` has given it a port."""


def take_lock(file: IO[str] | int, kind: int = fcntl.LOCK_EX) -> bool:
    """Take a lock without waiting; return False if another process holds one that excludes it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

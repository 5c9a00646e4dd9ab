"""Who sent a request, through which entrance, and what that sender may do."""

import os
import pwd
import socket
from dataclasses import dataclass
from typing import Final, Literal

from actorline.jobs.rights import EVERYTHING, Rights

Entrance = Literal["cli", "http", "celery", "beat", "hook", "upkeep", "batch"]


@dataclass(frozen=True)
class Sender:
    """`holder`: over HTTP the API key's name, or in parentheses a sender without one; `address`: its IP address."""

    entrance: Entrance
    holder: str | None = None
    address: str | None = None
    rights: Rights = EVERYTHING

    def facts(self) -> dict[str, str]:
        """Return what the timeline and the audit log show of it; it is never part of a document's hash."""
        found = {"door": self.entrance, "by": self.holder, "address": self.address}
        if self.entrance == "cli":
            found |= {"user": _user(), "host": socket.gethostname()}
        return {name: value for name, value in found.items() if value is not None}


FROM_TERMINAL: Final = Sender("cli")
FROM_CELERY: Final = Sender("celery")


def _user() -> str:
    """Return the name of this process's user from the system, not from variables that can be changed."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without an entry
        return str(os.getuid())

"""`python -P -m workers.ping` exits with 0 if this host's worker replies: a container's healthcheck.

`celery inspect ping` would accept a reply of any worker; a worker's own name is unknown outside it.
"""

import socket
import sys
from typing import Final

from actorline.messages import make_sender
from actorline.settings import load_settings

PING_TIMEOUT_SECS: Final = 5.0


def main() -> int:
    app = make_sender(load_settings())
    mine = f"*@{socket.gethostname()}"
    return 0 if app.control.ping(timeout=PING_TIMEOUT_SECS, limit=1, pattern=mine, matcher="glob") else 1


if __name__ == "__main__":
    sys.exit(main())

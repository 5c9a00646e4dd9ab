"""`python -P -m workers.ping` exits with 0 if this host's worker replies: a container's healthcheck.

`celery inspect ping` would accept a reply of any worker; a worker's own name is unknown outside it. With
`--kill-after N` the Nth look in a row without a reply kills this container's worker, so that the engine starts it
again: others take over what it held, as after any death.
"""

import argparse
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from actorline.messages import make_sender
from actorline.settings import load_settings

PING_TIMEOUT_SECS: Final = 5.0
WORKER: Final = b"\0-m\0workers\0worker\0"


def main() -> int:
    parser = argparse.ArgumentParser(prog="workers.ping")
    parser.add_argument("--kill-after", type=int, metavar="N", help="kill the worker at the Nth failure in a row")
    kill_after = parser.parse_args().kill_after
    is_there = _replies()
    if kill_after and count_failures(_counter(), failed=not is_there) >= kill_after:
        _counter().unlink()
        for pid in _workers():
            os.kill(pid, signal.SIGKILL)
    return 0 if is_there else 1


def _replies() -> bool:
    app = make_sender(load_settings())
    mine = f"*@{socket.gethostname()}"
    return bool(app.control.ping(timeout=PING_TIMEOUT_SECS, limit=1, pattern=mine, matcher="glob"))


def count_failures(file: Path, *, failed: bool) -> int:
    """Return how often in a row it has failed by now, as the file remembers."""
    if not failed:
        file.unlink(missing_ok=True)
        return 0
    failures = int(file.read_text() or 0) + 1 if file.exists() else 1
    file.write_text(str(failures))
    return failures


def _counter() -> Path:
    return Path(tempfile.gettempdir()) / "actorline-ping-failures"


def _workers() -> Iterator[int]:
    """Yield the process ids of our workers; in a container there is one."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if WORKER in process.read_bytes():
                yield int(process.parent.name)
        except OSError:  # another user's, or ended by now
            continue


if __name__ == "__main__":
    sys.exit(main())

"""One Celery worker process: `control` (short tasks) or `fetch` (downloads), on threads."""

import os
import socket
from typing import Final, Literal

from actorline.settings import Settings
from config.queues import queues_of

APP: Final = ("--app", "workers.app")  # otherwise Celery would use the app that a variable APP names
Kind = Literal["control", "fetch", "all"]


def run_worker(kind: Kind, settings: Settings) -> None:
    """Run until SIGTERM, which drains: held messages go back to the queue."""
    from workers.app import app

    concurrency = {"control": settings.control_concurrency, "fetch": settings.fetch_concurrency}
    threads = concurrency.get(kind, sum(concurrency.values()))
    app.worker_main(
        [
            *APP,
            "--quiet",
            "worker",
            "--pool",
            "threads",
            "--concurrency",
            str(threads),
            "--without-mingle",
            "--without-gossip",
            "--queues",
            ",".join(queues_of(kind, settings.namespace)),
            "--loglevel",
            settings.log_level,
            "--hostname",
            f"{kind}-{os.getpid()}@{socket.gethostname()}",
        ]
    )

"""Long-polling for the end of a run from the terminal, while a user waits: it takes no worker's slot."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import redis

from actorline.cli.attach import AttachedStack
from actorline.identifiers import JobKey
from actorline.jobs.states import LIVE, State
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.messages import wake_workers
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.runs import wait_for_run
from actorline.settings import Settings

RUN_LOOK_SECS: Final = 0.2
LONG_POLL_SECS: Final = 20  # the platform holds a response for up to 60 s; less lets Ctrl-C end the thread
POLL_AGAIN_SECS: Final = 5.0


@contextmanager
def hastened(settings: Settings, stack: AttachedStack, key: JobKey) -> Iterator[None]:
    """Have the job checked as soon as its run has ended. Optional: if it fails, the worker's poll still comes."""
    over = threading.Event()
    thread = threading.Thread(target=_hasten, args=(settings, stack.ledger, key, over), name="long-poll", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def _hasten(settings: Settings, ledger: Ledger, key: JobKey, over: threading.Event) -> None:
    job = ledger.load(key)
    token = settings.token_of(job.document.account) if job else None
    if token is None:
        return
    platform = Platform(settings.api_url, token, read_timeout_s=LONG_POLL_SECS + 10)
    wait: float | None = RUN_LOOK_SECS
    while wait is not None and not over.wait(wait):
        try:
            wait = _look(settings, ledger, platform, key)
        except (platform_errors.PlatformError, redis.RedisError):
            wait = POLL_AGAIN_SECS


def _look(settings: Settings, ledger: Ledger, platform: Platform, key: JobKey) -> float | None:
    """Return seconds until the next check; None: there is nothing to wait for."""
    job = ledger.load(key)
    if job is None or job.state not in LIVE or job.state is State.COLLECTING:
        return None
    if job.run.id is None or not wait_for_run(platform, job.run.id, LONG_POLL_SECS).is_terminal:
        return RUN_LOOK_SECS
    ledger.change(key, Change(due_in_s=0, fields={"is_planned": True}), states={State.RUNNING}, epoch=None)
    wake_workers(settings, [key])
    return POLL_AGAIN_SECS

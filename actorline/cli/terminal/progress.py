"""Waiting for jobs in the terminal: the display, and Ctrl-C."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import FrameType, TracebackType
from typing import Final, Self

import redis

from actorline.cli.terminal.output import say
from actorline.errors import Code, Unavailable
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.ledger.faults import DISK_FULL, describe_fault
from actorline.ledger.ledger import Ledger
from actorline.platform.statuses import TERMINAL_STATUSES
from actorline.upkeep.unattended import COMMAND

PROGRESS_LOOK_SECS: Final = 0.25
DISK_EVERY_SECS: Final = 5.0
ONE_WISH_SECS: Final = 0.3  # the terminal signals the whole group, and a wrapper in it forwards what it gets
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Counts Ctrl-C, SIGTERM and SIGHUP instead of exiting: something may be billing."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._last_at = -ONE_WISH_SECS
        self.count = 0

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        now = time.monotonic()
        if now - self._last_at >= ONE_WISH_SECS:
            self._last_at = now
            self.count += 1
            self._event.set()

    def sleep(self, seconds: float) -> None:
        """Wait, but return at once on an interrupt, also one since the last wait."""
        self._event.wait(seconds)
        self._event.clear()


def follow(
    ledger: Ledger,
    keys: Sequence[JobKey],
    interrupts: Interrupts,
    *,
    shown: bool,
    until: int = 1,
    look: Callable[[list[Job]], None] | None = None,
    newcomers: Callable[[], Iterable[JobKey]] = tuple,
    heads: Callable[[], Sequence[str]] = tuple,
    command: str = COMMAND,
) -> list[Job]:
    """Show jobs until all have ended, or until interrupt number `until`, and return them as they are then.

    Several times a second `look` is called with them, and `newcomers` for the keys of further jobs to follow; `heads`
    returns lines to be shown above the jobs.
    Raises Unavailable if Redis is lost meanwhile.
    """
    from actorline.cli.terminal.live_table import live_table

    jobs: list[Job] = []
    followed = dict.fromkeys(keys)
    disk = _Disk(ledger)
    with live_table(shown=shown) as table:
        while True:
            try:
                followed.update(dict.fromkeys(newcomers()))
                jobs = [job for job in ledger.load_many(list(followed)) if job]
                table.update(jobs, ledger.now(), heads())
                disk.look()
            except redis.RedisError as error:
                raise lost_redis(keys, jobs, error, command) from error
            if look:
                look(jobs)
            if all(job.is_terminal for job in jobs) or interrupts.count >= until:
                return jobs
            interrupts.sleep(PROGRESS_LOOK_SECS)


class _Disk:
    """Watches Redis's disk: when it is full all jobs stop, and the user must know why."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._next_at = time.monotonic() + DISK_EVERY_SECS
        self._is_reported = False

    def look(self) -> None:
        if self._is_reported or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + DISK_EVERY_SECS
        if not self._ledger.server().writes_its_file:
            self._is_reported = True
            say(f"Redis can't be used: {DISK_FULL}. Jobs wait for that, and continue by themselves.")


def come_back(key: str | None, command: str = COMMAND) -> str:
    """Return how to see the job again; `key` None: all jobs."""
    return f"See it again: {command} {f'show {key}' if key else 'jobs'}"


def lost_redis(
    keys: Sequence[JobKey], jobs: Sequence[Job], error: redis.RedisError, command: str = COMMAND
) -> Unavailable:
    """Return the error to raise when Redis fails meanwhile; `jobs`: as last seen."""
    live = [job for job in jobs if not job.is_terminal]
    billing = [job.run.id for job in live if job.run.id and job.run.status not in TERMINAL_STATUSES]
    runs = f" Meanwhile {', '.join(billing)} may be billing: check in the platform's console." if billing else ""
    message = (
        f"The connection to Redis was lost: {describe_fault(error)}. Jobs continue when it is back.{runs} "
        f"{come_back(next(iter(keys), None), command)}"
    )
    return Unavailable(Code.REDIS_UNAVAILABLE, message, billed=bool(billing))

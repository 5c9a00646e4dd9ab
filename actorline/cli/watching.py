"""Waiting for jobs in the terminal: progress bars, and what Ctrl-C means."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Final, Self

import redis
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from actorline.cli.output import COLOURS, err, pace_text, say
from actorline.errors import Code, Unavailable
from actorline.jobs.durability import read_server
from actorline.jobs.job import Job
from actorline.jobs.ledger import Ledger
from actorline.jobs.redis_faults import DISK_FULL, describe_fault
from actorline.jobs.states import State
from actorline.platform.runs import TERMINAL_STATUSES

LOOK_SECS: Final = 0.25
DISK_EVERY_SECS: Final = 5.0
ONE_WISH_SECS: Final = 0.3  # a wrapper that passes a signal on doubles what the terminal sends to the whole group
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Counts Ctrl-C, SIGTERM and SIGHUP instead of dying of them: something may be billing."""

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
        """Wait, but not past an interrupt that wasn't seen yet."""
        self._event.wait(seconds)
        self._event.clear()


def follow(
    ledger: Ledger,
    keys: Sequence[str],
    interrupts: Interrupts,
    *,
    shown: bool,
    until: int = 1,
    look: Callable[[list[Job]], None] | None = None,
) -> list[Job]:
    """Show jobs until all have ended, or until interrupt number `until`; answers them as they are then.

    `look` is called with them several times a second. Raises Unavailable if Redis is lost meanwhile.
    """
    jobs: list[Job] = []
    disk = _Disk(ledger)
    with _bars(shown=shown) as progress:
        bars = {key: progress.add_task(key, total=None, state="QUEUED", items=0, pace="") for key in keys}
        while True:
            try:
                jobs = [job for key in keys if (job := ledger.load(key))]
                disk.look()
            except redis.RedisError as error:
                raise lost_redis(keys, jobs, error) from error
            for job in jobs:
                _show(progress, bars[job.key], job)
            if look:
                look(jobs)
            if all(job.is_terminal for job in jobs) or interrupts.count >= until:
                return jobs
            interrupts.sleep(LOOK_SECS)


class _Disk:
    """Redis's disk: when it is full no job goes on, and nobody would know why."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._next_at = time.monotonic() + DISK_EVERY_SECS
        self._is_told = False

    def look(self) -> None:
        if self._is_told or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + DISK_EVERY_SECS
        if not read_server(self._ledger.redis).writes_its_file:
            self._is_told = True
            say(f"Redis can't be used: {DISK_FULL}. What was ordered waits for that, and goes on by itself.")


def lost_redis(keys: Sequence[str], jobs: Sequence[Job], error: redis.RedisError) -> Unavailable:
    """What is to be said when Redis fails meanwhile; `jobs`: as they were seen last."""
    live = [job for job in jobs if not job.is_terminal]
    billing = [job.run_id for job in live if job.run_id and job.run_status not in TERMINAL_STATUSES]
    runs = f" Meanwhile {', '.join(billing)} may be billing: look in the console." if billing else ""
    message = (
        f"Redis was lost: {describe_fault(error)}. What was ordered goes on when it is back.{runs} "
        f"Come back: actorline show {keys[0]}"
    )
    return Unavailable(Code.REDIS_UNAVAILABLE, message, billed=bool(billing))


@contextmanager
def _bars(*, shown: bool) -> Iterator[Progress]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), _StateColumn(), BarColumn(bar_width=30),
               TextColumn("{task.fields[items]:,} items{task.fields[pace]}"), TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=err, disable=not shown) as progress:
        yield progress


class _StateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        state = str(task.fields["state"])
        return Text(f"{state:<10}", style=COLOURS.get(State(state), "cyan") if state in set(State) else "cyan")


def _show(progress: Progress, bar: TaskID, job: Job) -> None:
    total = job.items if job.is_terminal else job.items_total
    progress.update(
        bar,
        total=total or None,
        completed=job.items,
        state=job.state,
        items=job.items,
        pace=pace_text(job) if job.state is not State.WAITING else f", waits: {job.waiting_for}",
    )
    if job.is_terminal:
        progress.update(bar, total=1, completed=1)

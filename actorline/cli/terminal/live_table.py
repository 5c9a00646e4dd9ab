"""Jobs as a live table: a line for each job that fits the terminal, and a count of the others."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from textwrap import wrap
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from actorline.cli.terminal.output import COLOURS, err, pace_text
from actorline.cli.terminal.times import duration_text, short_time
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.visible import visible

FRAME_LINES: Final = 2  # the summary, and the cursor's line
WIDTH_WITH_BAR: Final = 100
BAR_WIDTH: Final = 20
KEY_WIDTH: Final = 16
GAP: Final = 2
USUAL_START_SECS: Final = 10.0


@contextmanager
def live_table(*, shown: bool) -> Iterator["LiveTable"]:
    """Keep a table on standard error up to date; with `shown` false nothing is printed."""
    table = LiveTable(err)
    with Live(console=err, get_renderable=table.render, refresh_per_second=4) if shown else nullcontext():
        yield table
    if shown and not err.is_terminal:
        err.line()  # where nothing can be overwritten, the last frame has no end of line


class LiveTable:
    """The jobs as last seen; `render` makes a table of the terminal's current size."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._jobs: Sequence[Job] = ()
        self._now = 0.0
        self._heads: Sequence[str] = ()

    def update(self, jobs: Sequence[Job], now: float, heads: Sequence[str] = ()) -> None:
        """Show these jobs from now on. `now`: unix seconds by Redis; `heads`: lines above them."""
        self._jobs, self._now, self._heads = jobs, now, heads

    def render(self) -> Group:
        size = self._console.size
        heads = [Text(visible(head), no_wrap=True, overflow="ellipsis") for head in self._heads[: size.height // 2]]
        height = size.height - FRAME_LINES - len(heads)
        return Group(*heads, table_of(self._jobs, self._now, width=size.width, height=height))


def table_of(jobs: Sequence[Job], now: float, *, width: int, height: int) -> Group:
    """Return a line for each of at most `height` jobs, unfinished ones first, and one with counts if some are left out.

    State and age are never cut. A line that is too long cuts the key, down to 16 characters, and then the rest, which
    goes on below where there is room: it may be the cause of a failure.
    """
    shown = sorted(jobs, key=lambda job: job.is_terminal)[:height]
    ages = [age_text(job, now) for job in shown]
    texts = [visible(progress_text(job, now)) for job in shown]
    with_bar = width >= WIDTH_WITH_BAR
    fixed = [len(State.COLLECTING), max(map(len, ages), default=0), *([BAR_WIDTH] if with_bar else [])]
    room = width - sum(fixed) - GAP * (len(fixed) + 2)
    key_width = max((len(job.key) for job in shown), default=0)
    text_width = min(max(map(len, texts), default=0), max(room - min(key_width, KEY_WIDTH), 0))
    table = Table.grid(padding=(0, GAP, 0, 0))
    for column in (min(key_width, room - text_width), *fixed, text_width):
        table.add_column(no_wrap=True, overflow="ellipsis", width=column)
    for job, age, text in zip(shown, ages, _wrapped(texts, text_width, height), strict=True):
        state = Text(job.state, style=COLOURS.get(job.state, "cyan"))
        table.add_row(
            Text(visible(job.key)),
            state,
            Text(age, justify="right"),
            *([_bar(job)] if with_bar else []),
            Text(text),
        )
    if len(jobs) <= height:
        return Group(table)
    counts = Counter(job.state for job in jobs)
    return Group(table, f"{len(jobs):,} jobs: {', '.join(f'{number:,} {state}' for state, number in counts.items())}")


def _wrapped(texts: Sequence[str], width: int, height: int) -> Sequence[str]:
    """Return each text in as many lines as it needs, if all of them fit."""
    wrapped = [wrap(text, width) if width else [] for text in texts]
    return ["\n".join(lines) for lines in wrapped] if sum(max(len(lines), 1) for lines in wrapped) <= height else texts


def progress_text(job: Job, now: float) -> str:
    """Return in a few words what the job does: what it waits for, what its run has made, or what was fetched."""
    collection = job.collection
    cost = "" if job.total_cost_usd is None else f", ${job.total_cost_usd:.4f}"
    if job.state is State.WAITING:
        until = "" if job.waiting_until is None else f", until {short_time(job.waiting_until)} at the latest"
        return f"waits: {job.waits_for}{until}"
    if job.state is State.COLLECTING:
        total = f" of {collection.items_total:,}" if collection.items_total else ""
        return f"{collection.items:,}{total} items{_failing_text(job) or pace_text(job)}"
    if job.is_terminal:
        return f"{collection.items:,} items{cost}"
    if job.run.known_at is None:
        return _not_begun_text(job, now)
    made = f", {collection.items_total:,} items so far" if collection.items_total else ""
    return f"{(job.run.status or job.state).lower()} {duration_text(now - job.run.known_at)}{made}{cost}"


def _not_begun_text(job: Job, now: float) -> str:
    """Return what a job without a run waits for, if that takes longer than usual."""
    if now - (job.retried_at or job.queued_at) < USUAL_START_SECS:
        return ""
    if job.intent:
        return "a start was sent; the platform hasn't replied yet"
    return "hasn't begun: no worker has taken it, or the platform doesn't reply; `actorline doctor` says which"


def _failing_text(job: Job) -> str:
    failing = job.collection.failing_pages
    if not failing:
        return ""
    verb = "page fails" if failing == 1 else "pages fail"
    return f"; {failing:,} {verb}: {job.collection.page_error}"


def age_text(job: Job, now: float) -> str:
    """Return the job's age, or how long it took until its end."""
    return duration_text((job.ended_at or now) - (job.retried_at or job.queued_at))


def _bar(job: Job) -> ProgressBar:
    if job.is_terminal:
        return ProgressBar(total=1, completed=1, width=BAR_WIDTH)
    total = job.collection.items_total if job.state is State.COLLECTING else None
    return ProgressBar(
        total=total or 1, completed=job.collection.items if total else 0, width=BAR_WIDTH, pulse=total is None
    )

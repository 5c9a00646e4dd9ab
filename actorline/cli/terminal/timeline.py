"""A job's life for the terminal: its parts as bars, and what happened in sentences."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from actorline.cli.terminal.output import out
from actorline.cli.terminal.times import CLOCK, DAY, local_time
from actorline.ledger.timeline import TimelineEntry
from actorline.story.number_words import counted, duration
from actorline.story.page_bars import PageBar
from actorline.story.sentences import sentences
from actorline.story.waterfall import AXIS, Bar

BAR_WIDTH: Final = 32  # a line has 80 columns


def print_timeline(entries: list[TimelineEntry]) -> None:
    """Print a sentence for each entry, also for those that a newer version wrote; the date precedes those of another
    day.
    """
    day = f"{datetime.now():{DAY}}"  # noqa: DTZ005 - the person's own clock
    for told in sentences(entries):
        at = local_time(told.at)
        if day != (day := f"{at:{DAY}}"):
            out.print(f"  {day}")
        out.print(f"  {at:{CLOCK}}  {told.text}", markup=False)
        for line in told.lines:
            out.print(f"      {line}", markup=False)


def print_waterfall(found: Sequence[Bar], *, with_attempts: bool) -> None:
    """Print each part of a job's life as a bar on one axis of time."""
    for bar in found:
        phase = bar.phase
        name = f"{phase.name} {phase.attempt}" if with_attempts else phase.name
        so_far = " so far" if phase.is_open else ""
        out.print(f"  {name:<13} |{bar_text(bar)}| {duration(phase.seconds)}{so_far}", markup=False)


def print_pages(found: Sequence[PageBar]) -> None:
    """Print the pages below, on the same axis."""
    for bar in found:
        name = f"page {bar.first}" if bar.first == bar.last else f"pages {bar.first}-{bar.last}"
        bad = "" if bar.is_good else ", failed"
        told = f"{duration(bar.seconds)}, {counted(bar.rows, 'row')}{bad}"
        out.print(f"  {name:<13} |{bar_text(bar)}| {told}", markup=False)


def bar_text(bar: Bar | PageBar) -> str:
    """Return `   ====     `, at least one mark wide."""
    begin = min(round(bar.left / AXIS * BAR_WIDTH), BAR_WIDTH - 1)
    end = min(max(round((bar.left + bar.width) / AXIS * BAR_WIDTH), begin + 1), BAR_WIDTH)
    return " " * begin + "=" * (end - begin) + " " * (BAR_WIDTH - end)

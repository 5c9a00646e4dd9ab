"""A job's timeline for the terminal: a line per entry, with lists of lines indented below it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any

from actorline.cli.terminal.output import out
from actorline.cli.terminal.times import CLOCK, DAY, local_time
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.timeline import TimelineEntry


def print_timeline(entries: list[TimelineEntry]) -> None:
    """Print entries, also those that a newer version wrote; the date precedes those of another day."""
    day = f"{datetime.now():{DAY}}"  # noqa: DTZ005 - the person's own clock
    for entry in _folded(entries):
        at = local_time(entry.at)
        if day != (day := f"{at:{DAY}}"):
            out.print(f"  {day}")
        below = {name: value for name, value in entry.data.items() if isinstance(value, list)}
        facts = (
            f"{name}={_short(value)}"
            for name, value in entry.data.items()
            if name not in below and value is not None and value != ""
        )
        out.print(f"  {at:{CLOCK}}  {entry.event:<15}  {' '.join(facts)}".rstrip(), markup=False)
        for line in (line for lines in below.values() for line in lines):
            out.print(f"      {line}", markup=False)


def _folded(entries: list[TimelineEntry]) -> Iterator[TimelineEntry]:
    """Merge failures of pages with the same reason: a full sink fails each page six times."""

    def what(entry: TimelineEntry) -> tuple[str, Any]:
        return entry.event, entry.data.get("message") if entry.event == TimelineEvent.PAGE_FAILED else id(entry)

    for (_, message), group in groupby(entries, what):
        first, *rest = group
        if not rest:
            yield first
            continue
        pages = {entry.data.get("page_no") for entry in (first, *rest)}
        data = {
            "times": len(rest) + 1,
            "pages": len(pages),
            "until": f"{local_time(rest[-1].at):{CLOCK}}",
            "message": message,
        }
        yield replace(first, data=data)


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:200]

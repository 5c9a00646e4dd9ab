"""Printing: results and rows to standard output, everything else to standard error."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.markup import escape

from actorline.cli.terminal.next_command import next_command, way_out
from actorline.cli.terminal.table import fitting, least_width, new_table
from actorline.cli.terminal.times import short_time
from actorline.cli.terminal.visible import SafeConsole
from actorline.errors import Code, Reason
from actorline.jobs.document.delta import JobChanges
from actorline.jobs.job import Job
from actorline.jobs.job_result import JobResult, Waiting
from actorline.jobs.progress import Pace
from actorline.jobs.states import TERMINAL, State
from actorline.story.number_words import counted
from actorline.visible import visible_json

# a pipe has no width: a line there is never broken
out = SafeConsole(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 300)
err = SafeConsole(stderr=True, highlight=False, soft_wrap=True)

COLOURS = {
    State.DELIVERED: "green",
    State.PARTIAL: "yellow",
    State.FAILED: "red",
    State.CANCELLED: "magenta",
    State.EXPIRED: "magenta",
}

BREAKABLE: Final[Mapping[str, int]] = {"actor": 8}
"""Columns of jobs whose text may go on below, and the characters that are enough of it."""
DROPPED: Final = ("queued", "items", "actor", "cost", "why")
"""Columns of jobs that a narrow terminal leaves out, in this order."""


def print_json(value: Any, *, indent: int | None = None) -> None:
    """Print one JSON object as a line of standard output, or indented for a person. What isn't text in it (a file's
    name) is escaped.
    """
    separators = (",", ":") if indent is None else None
    text = visible_json(json.dumps(value, ensure_ascii=False, separators=separators, indent=indent))
    sys.stdout.buffer.write(text.encode(errors="backslashreplace") + b"\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Print a message for the user to standard error."""
    err.print(escape(text))


def print_refusal(reason: Reason, *, key: str | None = None, as_json: bool) -> None:
    """Print why a command was refused, and what to type next; `key`: of the job or batch that it was about."""
    if as_json:
        print_json({"reason": reason.model_dump(mode="json")})
    else:
        command = next_command(reason, key=key)
        say(f"{reason.message} Next: `{command}`." if command else reason.message)


def coloured(state: State | str) -> str:
    colour = next((colour for known, colour in COLOURS.items() if known == state), "cyan")
    return f"[{colour}]{escape(state)}[/]"


def print_result(result: JobResult, *, as_json: bool, advises: bool = True) -> None:
    """Print what became of a job; with `advises` also what to type next, once it has ended."""
    if as_json:
        print_json(result.model_dump(mode="json"))
        return
    rows = counted(result.items, "item") + (f", {counted(result.records, 'record')}" if result.records else "")
    out.print(f"{coloured(result.state)} {escape(result.key)}: {rows}, {cost_text(result)}")
    if result.reason:
        out.print(f"  {escape(result.reason.message)}")
        has_ended = result.state in TERMINAL
        command = next_command(result.reason, key=result.key, dataset_id=result.dataset_id, has_ended=has_ended)
        if command and advises and has_ended:
            out.print(f"  next: {escape(command)}")
    if result.stopped:
        beyond = f", {result.stopped.beyond:,} rows beyond them are here too" if result.stopped.beyond else ""
        out.print(f"  stopped early: {escape(result.stopped.message)}{beyond}")
    if result.broken and not result.reason:
        out.print(f"  contract broken: {escape(result.broken.message)}")
    if result.waiting:
        _print_waiting(result.waiting, result.key)
    if result.changes:
        out.print(f"  {escape(changes_text(result.changes))}")
    for name, value in (("rows", result.sink if result.manifest else None), ("run", result.run_url)):
        if value:
            out.print(f"  {name}: {escape(value)}")


def _print_waiting(waiting: Waiting, key: str) -> None:
    until = f", until {local_text(waiting.until)} at the latest" if waiting.until else ""
    since = f" since {local_text(waiting.since)}" if waiting.since else ""
    out.print(f"  waits: {escape(waiting.code)}{since}{until}")
    if command := way_out(waiting.code, key=key):
        out.print(f"  next: {escape(command)}")


def changes_text(changes: JobChanges) -> str:
    """Return `changes since nightly@...: 3 added, 0 removed, 12 changed, 985 unchanged`."""
    if changes.error is not None:
        return f"changes are not known: {changes.error}"
    since = f"since {changes.base}" if changes.base else "(there is no earlier delivery)"
    counts = [
        (changes.added, "added"),
        (changes.removed, "removed"),
        (changes.changed, "changed"),
        (changes.unchanged, "unchanged"),
    ]
    notes = [(changes.repeated, "with a key that comes again"), (changes.without_key, "without a key")]
    told = [f"{number or 0:,} {what}" for number, what in counts] + [f"{n:,} {what}" for n, what in notes if n]
    doubt = ". No row has the key: is each field's name right?" if changes.finds_no_key else ""
    return f"changes {since}: {', '.join(told)}{doubt}"


def local_text(iso_time: str) -> str:
    return short_time(datetime.fromisoformat(iso_time).timestamp())


def pace_text(job: Job) -> str:
    """Return `, 120,000/s, 8 s left` while a job collects."""
    pace = Pace.of(job)
    rate = f", {pace.items_per_sec:,.0f}/s" if pace.items_per_sec else ""
    return rate + (f", {pace.eta_secs:,.0f} s left" if pace.eta_secs else "")


def print_jobs(results: list[JobResult]) -> None:
    """Print a line for each job. A narrow terminal gets fewer columns: a key must be whole to be copied."""
    cells = _cells_of(results)
    if out.is_terminal:
        cells = fitting(cells, out.width, breakable=BREAKABLE, dropped=DROPPED)
    whole = cells.keys() - BREAKABLE.keys() - ({"key"} if least_width(cells, BREAKABLE) > out.width else set())
    table = new_table(tuple(cells), right={"items", "cost"}, whole=whole)
    for row in zip(*cells.values(), strict=True):
        shown = dict(zip(cells, row, strict=True))
        table.add_row(*(coloured(text) if column == "state" else escape(text) for column, text in shown.items()))
    out.print(table)


def _cells_of(results: list[JobResult]) -> Mapping[str, Sequence[str]]:
    whys = [_why(result) for result in results]
    return {
        "key": [result.key for result in results],
        "state": [result.state for result in results],
        **({"why": whys} if any(whys) else {}),
        "actor": [_target(result) for result in results],
        "items": [f"{result.items:,}" for result in results],
        "cost": ["" if result.cost_usd is None else f"${result.cost_usd:.4f}" for result in results],
        "queued": [local_text(result.queued_at) if result.queued_at else "" for result in results],
    }


def _target(result: JobResult) -> str:
    """Return what runs, as it was ordered: of an Actor task and of a run the result's Actor is only an id."""
    kind, name = next(iter((result.target or {}).items()), ("actor", result.actor or ""))
    return name if kind == "actor" else f"{kind} {name}"


def _why(result: JobResult) -> str:
    """Return the code of what the job waits for, or of why it ended otherwise than delivered."""
    if result.waiting:
        return result.waiting.code
    return result.reason.code if result.reason else ""


def cost_text(result: JobResult) -> str:
    if result.cost_usd is not None:
        return f"${result.cost_usd:.4f}"
    if result.run_id is not None or (result.reason and result.reason.billed):
        return "cost unknown"
    if result.state in TERMINAL:
        return "nothing billed"
    waits = result.waiting is not None and result.waiting.code != Code.START_UNCLEAR  # then no run was made
    has_not_begun = result.attempt <= 1 and (result.state is State.QUEUED or waits)
    return "nothing billed so far" if has_not_begun else "cost unknown"

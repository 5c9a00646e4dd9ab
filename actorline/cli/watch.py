"""`watch`: shows jobs while they run."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, NoReturn

import typer

from actorline.cli.attach import attach
from actorline.cli.jobs import find_any
from actorline.cli.ordering.follow_batch import follow_batch, print_batch, running_batches
from actorline.cli.terminal.exits import Exit, exit_of_result
from actorline.cli.terminal.output import print_json, print_result, say
from actorline.cli.terminal.progress import Interrupts, follow
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.job_result import JobResult
from actorline.jobs.progress import Progress
from actorline.jobs.states import LIVE
from actorline.ledger.ledger import Ledger
from actorline.settings import load_settings
from actorline.story.number_words import counted

if TYPE_CHECKING:
    from actorline.batches.batch import Batch

MOST_OF_A_STATE: Final = 200


def watch(key: str | None, *, as_json: bool) -> None:
    with attach(load_settings(), workers=False) as stack, Interrupts() as interrupts:
        changes = _Changes() if as_json else None
        if key is not None:
            found = find_any(stack.ledger, key)
            if not isinstance(found, Job):
                _watch_batch(stack.ledger, found, interrupts, as_json=as_json)
            jobs = follow(stack.ledger, [found.key], interrupts, shown=not as_json, look=changes)
        elif live_keys(stack.ledger):
            newcomers, heads = partial(live_keys, stack.ledger), partial(_batch_lines, stack.ledger)
            jobs = follow(
                stack.ledger, [], interrupts, shown=not as_json, look=changes, newcomers=newcomers, heads=heads
            )
        else:
            say("No job is unfinished.")
            return
    for job in jobs:
        if job.is_terminal:
            print_result(JobResult.of(job), as_json=as_json)
    if interrupts.count:
        raise typer.Exit(Exit.INTERRUPTED)
    if key is not None:
        raise typer.Exit(exit_of_result(JobResult.of(jobs[0])))


def _watch_batch(ledger: Ledger, batch: Batch, interrupts: Interrupts, *, as_json: bool) -> NoReturn:
    """Show the batch until it has ended, and exit as it ended."""
    from actorline.batches.batch import BatchResult

    found = follow_batch(ledger, batch, interrupts, as_json=as_json)
    print_batch(found, as_json=as_json)
    raise typer.Exit(exit_of_result(BatchResult.of(found)) if found.is_terminal else Exit.INTERRUPTED)


def _batch_lines(ledger: Ledger) -> list[str]:
    """Return `catalog: 12 of 100 inputs ended, 1 failed; 2,400 items` for each batch that hasn't ended."""
    return [batch_line(batch) for batch in running_batches(ledger)]


def batch_line(batch: Batch) -> str:
    ended, failed = sum(batch.ended.values()), batch.failed + batch.expired
    inputs = "?" if batch.inputs is None else f"{batch.inputs:,}"
    cost = "" if batch.cost_usd is None else f", ${batch.cost_usd:.4f}"
    bad = f", {failed:,} failed" if failed else ""
    return f"{batch.key}: {ended:,} of {inputs} inputs ended{bad}; {counted(batch.items, 'item')}{cost}"


def live_keys(ledger: Ledger) -> list[JobKey]:
    """Return the keys of the jobs that haven't ended, at most 200 of each state."""
    return [key for state in LIVE for key, _ in islice(ledger.list_keys(state), MOST_OF_A_STATE)]


class _Changes:
    """Prints a job's progress whenever it has changed."""

    def __init__(self) -> None:
        self._last: dict[str, Progress] = {}

    def __call__(self, jobs: list[Job]) -> None:
        for job in jobs:
            progress = Progress.of(job)
            if not job.is_terminal and progress != self._last.get(job.key):
                self._last[job.key] = progress
                print_json(progress.model_dump(mode="json"))

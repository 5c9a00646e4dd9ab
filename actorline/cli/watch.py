"""`watch`: jobs as they go on."""

from typing import Annotated

import typer

from actorline.cli.exits import Exit, exit_of_result
from actorline.cli.jobs import AsJson, find
from actorline.cli.output import print_json, print_result, say
from actorline.cli.stack import attach
from actorline.cli.watching import Interrupts, follow
from actorline.jobs.job import Job, JobResult, Progress
from actorline.jobs.states import LIVE
from actorline.settings import load_settings


def watch(
    key: Annotated[
        str | None, typer.Argument(help="The job's key; left out: all that go on now", metavar="KEY")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a job, or all that go on, until they end. Ctrl-C only stops watching. With --json: a line a change."""
    with attach(load_settings(), workers=False) as stack, Interrupts() as interrupts:
        keys = (
            [find(stack.ledger, key).key]
            if key is not None
            else [name for state in LIVE for name, _ in stack.ledger.list_keys(state)]
        )
        if not keys:
            say("No job goes on.")
            return
        changes = _Changes() if as_json else None
        jobs = follow(stack.ledger, keys, interrupts, shown=not as_json, look=changes)
    for job in jobs:
        if job.is_terminal:
            print_result(JobResult.of(job), as_json=as_json)
    if interrupts.count:
        raise typer.Exit(Exit.INTERRUPTED)
    if key is not None:
        raise typer.Exit(exit_of_result(JobResult.of(jobs[0])))


class _Changes:
    """Prints a job's progress whenever it is another than before."""

    def __init__(self) -> None:
        self._last: dict[str, Progress] = {}

    def __call__(self, jobs: list[Job]) -> None:
        for job in jobs:
            progress = Progress.of(job)
            if not job.is_terminal and progress != self._last.get(job.key):
                self._last[job.key] = progress
                print_json(progress.model_dump(mode="json"))

"""The usage of `jobs`, `show` and `cancel`."""

from typing import Annotated

import typer

from actorline.cli.usage.completion import (
    complete_key,
)
from actorline.cli.usage.options import AsJson
from actorline.jobs.states import LIVE, State

Key = Annotated[str, typer.Argument(help="The job's key", metavar="KEY", autocompletion=complete_key())]

LiveKeys = Annotated[
    list[str], typer.Argument(help="The jobs' keys", metavar="KEY...", autocompletion=complete_key(*LIVE))
]


def jobs(
    state: Annotated[
        list[State] | None,
        typer.Option(help="Only jobs in this state; repeat it for more", case_sensitive=False, metavar="STATE"),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Only jobs with this label; repeat it for more", metavar="NAME=VALUE")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most jobs to list")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from actorline.cli import jobs

    jobs.jobs(state, label, limit, as_json=as_json)


def show(key: Key, as_json: AsJson = False) -> None:
    """Show a job: its result so far, its timeline and its cost."""
    from actorline.cli import jobs

    jobs.show(key, as_json=as_json)


def cancel(keys: LiveKeys, as_json: AsJson = False) -> None:
    """Stop jobs: abort their runs, and wait until that is done."""
    from actorline.cli import jobs

    jobs.cancel(keys, as_json=as_json)

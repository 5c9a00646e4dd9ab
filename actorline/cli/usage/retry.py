"""The usage of `retry`."""

from typing import Annotated

import typer

from actorline.cli.usage.completion import (
    complete_key,
)
from actorline.cli.usage.options import AsJson
from actorline.jobs.states import TERMINAL, State


def retry(
    keys: Annotated[
        list[str],
        typer.Argument(
            help="The jobs' keys", metavar="KEY...", autocompletion=complete_key(*(TERMINAL - {State.DELIVERED}))
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would do, and whether that costs a run")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return as soon as the jobs are due again")] = False,
    as_json: AsJson = False,
) -> None:
    """Retry ended jobs from the cheapest stage: only the missing rows if possible, otherwise another paid run."""
    from actorline.cli import retry

    retry.retry(keys, dry_run=dry_run, no_wait=no_wait, as_json=as_json)

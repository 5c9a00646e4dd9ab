"""The usage of `watch`."""

from typing import Annotated

import typer

from actorline.cli.usage.completion import complete_key
from actorline.cli.usage.options import AsJson
from actorline.jobs.states import LIVE


def watch(
    key: Annotated[
        str | None,
        typer.Argument(
            help="Key of a job or batch; default: all that are unfinished",
            metavar="KEY",
            autocompletion=complete_key(*LIVE),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a job or batch, or all unfinished ones, until they end. Ctrl-C only stops watching.

    With --json, each change is a line.
    """
    from actorline.cli import watch

    watch.watch(key, as_json=as_json)

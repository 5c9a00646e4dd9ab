"""The usage of `guard`."""

from typing import Annotated

import typer

from actorline.cli.commands import make_app
from actorline.cli.usage.completion import complete_key, complete_schedule
from actorline.cli.usage.options import AsJson
from actorline.jobs.states import State

guard = make_app("Learn the contract for rows (guard) from past deliveries.")


@guard.callback()
def group() -> None:
    """Keep `suggest` a command of its own: Typer would merge the only one with the group."""


@guard.command()
def suggest(
    keys: Annotated[
        list[str] | None,
        typer.Argument(help="Keys of delivered jobs", metavar="KEY", autocompletion=complete_key(State.DELIVERED)),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="Learn from the last ten deliveries of this schedule", metavar="NAME", autocompletion=complete_schedule
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read deliveries, and print a guard that they keep: fields, types, key, number of rows, costs, with margins."""
    from actorline.cli import guard

    guard.suggest(keys or [], schedule, as_json=as_json)

"""The usage of `items`, `changes` and `records`."""

from typing import Annotated, Literal

import typer

from actorline.cli.usage.completion import complete_key
from actorline.cli.usage.options import AsJson
from actorline.jobs.states import State

Key = Annotated[
    str,
    typer.Argument(
        help="The job's key", metavar="KEY", autocompletion=complete_key(State.DELIVERED, State.PARTIAL, State.EXPIRED)
    ),
]


def items(key: Key, as_json: AsJson = False) -> None:
    """Write the delivered rows to standard output: JSON lines, or csv, xml, html, rss and xlsx as they are."""
    from actorline.cli import rows

    rows.items(key, as_json=as_json)


def changes(
    key: Key,
    kind: Annotated[
        Literal["added", "removed", "changed"] | None,
        typer.Argument(help="added, removed or changed: write these rows; default: count them", metavar="KIND"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count what changed since an earlier delivery, or write those rows to standard output as JSON lines."""
    from actorline.cli import rows

    rows.changes(key, kind, as_json=as_json)


def records(
    key: Key,
    name: Annotated[str | None, typer.Argument(help="The record; default: list them", metavar="NAME")] = None,
    as_json: AsJson = False,
) -> None:
    """List the delivered records, or write one to standard output."""
    from actorline.cli import rows

    rows.records(key, name, as_json=as_json)

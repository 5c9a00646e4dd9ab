"""The usage of `verify`."""

from typing import Annotated

import typer

from actorline.cli.usage.completion import complete_key
from actorline.cli.usage.options import AsJson
from actorline.jobs.states import State

Target = Annotated[
    str,
    typer.Argument(
        help="A job's key, or a delivery's folder or manifest by URL or path",
        metavar="KEY|URL",
        autocompletion=complete_key(State.DELIVERED, State.PARTIAL, State.EXPIRED),
    ),
]


def verify(target: Target, as_json: AsJson = False) -> None:
    """Read a delivery again and check it against its manifest: files, sizes, hashes, rows, offsets, sums."""
    from actorline.cli import verify

    verify.verify(target, as_json=as_json)

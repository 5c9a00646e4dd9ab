"""The usage of `submit`."""

from typing import Annotated

import typer

from actorline.cli.usage.options import AsJson


def submit(
    files: Annotated[
        list[str], typer.Argument(help="JSON lines, one job document each: FILE or - (standard input)", metavar="FILE")
    ],
    as_json: AsJson = False,
) -> None:
    """Order many jobs, and print their keys. A refused document is reported, and the others are ordered.

    It needs running workers: `actorline up`.
    """
    from actorline.cli.ordering import submit

    submit.submit(files, as_json=as_json)

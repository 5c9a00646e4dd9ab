"""The usage of `orphans`."""

from typing import Annotated

import typer

from actorline.cli.usage.options import AsJson


def orphans(
    abort: Annotated[bool, typer.Option("--abort", help="Abort those whose job is unknown here")] = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Create jobs that collect their rows")] = False,
    as_json: AsJson = False,
) -> None:
    """List our running runs that no job wants; those of known jobs are aborted in any case."""
    from actorline.cli.administration import orphans

    orphans.orphans(abort=abort, adopt=adopt, as_json=as_json)

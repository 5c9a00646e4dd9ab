"""The usage of `forget`."""

from typing import Annotated

import typer

from actorline.cli.usage.completion import complete_key
from actorline.cli.usage.options import AsJson
from actorline.jobs.states import TERMINAL


def forget(
    keys: Annotated[
        list[str],
        typer.Argument(help="Keys of ended jobs or batches", metavar="KEY", autocompletion=complete_key(*TERMINAL)),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed")] = False,
    agreed: Annotated[bool, typer.Option("--yes", help="Confirm; without it nothing is removed")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove ended jobs for good: rows, records, manifest, results, timeline and ledger entry."""
    from actorline.cli import forget

    forget.forget(keys, dry_run=dry_run, agreed=agreed, as_json=as_json)

"""The usage of `ledger`."""

from typing import Annotated

import typer

from actorline.cli.commands import make_app
from actorline.cli.usage.options import AsJson, States

ledger = make_app("Measure, export, import and purge what is stored of ended jobs.")


@ledger.command()
def stats(as_json: AsJson = False) -> None:
    """Show how many jobs the ledger holds, since when, and what they take of Redis."""
    from actorline.cli.administration import ledger

    ledger.stats(as_json=as_json)


@ledger.command()
def export() -> None:
    """Write all ended jobs and batches to standard output, as JSON lines; with their inputs, so keep it private."""
    from actorline.cli.administration import ledger

    ledger.export()


@ledger.command(name="import")
def import_(
    file: Annotated[str, typer.Argument(help="What `ledger export` wrote: FILE or - (standard input)", metavar="FILE")],
    as_json: AsJson = False,
) -> None:
    """Read an export into the ledger of a new installation; what is there already stays."""
    from actorline.cli.administration import ledger

    ledger.import_(file, as_json=as_json)


@ledger.command()
def purge(
    older_than: Annotated[str, typer.Option(help="Jobs that ended before then: 7d, 12h or a time", metavar="WHEN")],
    state: States = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many would be removed")] = False,
    agreed: Annotated[bool, typer.Option("--yes", help="Confirm; without it nothing is removed")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove ended jobs from the ledger before their retention is over; their rows stay."""
    from actorline.cli.administration import ledger

    ledger.purge(older_than, state, dry_run=dry_run, agreed=agreed, as_json=as_json)

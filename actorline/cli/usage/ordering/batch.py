"""The usage of `batch`."""

from typing import Annotated

import typer

from actorline.cli.usage.options import AsJson, DryOrder, NoWait


def batch(
    document: Annotated[str, typer.Argument(help="Batch document: FILE or - (standard input)", metavar="FILE")],
    dry_run: DryOrder = False,
    as_json: AsJson = False,
    no_wait: NoWait = False,
    keep_on_interrupt: Annotated[
        bool, typer.Option("--keep-on-interrupt", help="Let the batch continue after Ctrl-C")
    ] = False,
) -> None:
    """Run many inputs as one order; deliver their rows and records."""
    from actorline.cli.ordering import batch
    from actorline.cli.ordering.order import read_document

    order = read_document(document)
    batch.batch(order, dry_run=dry_run, as_json=as_json, no_wait=no_wait, keep=keep_on_interrupt)

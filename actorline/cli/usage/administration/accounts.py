"""The usage of `accounts`."""

from typing import Annotated

import typer

from actorline.cli.usage.completion import complete_account
from actorline.cli.usage.options import AsJson


def accounts(
    moved: Annotated[
        str | None,
        typer.Option(
            help="Assign this alias to the user of the token that is set here",
            metavar="ALIAS",
            autocompletion=complete_account,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which user each account alias belongs to. Workers whose token is another user's don't serve it."""
    from actorline.cli.administration import accounts

    accounts.accounts(moved, as_json=as_json)

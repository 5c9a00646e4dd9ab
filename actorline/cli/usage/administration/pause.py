"""The usage of `pause` and `resume`."""

from typing import Annotated

import typer

from actorline.cli.usage.completion import complete_account
from actorline.cli.usage.options import AsJson

Account = Annotated[
    str | None,
    typer.Option(help="Alias of the account; default: every account", metavar="ALIAS", autocompletion=complete_account),
]


def pause(account: Account = None, as_json: AsJson = False) -> None:
    """Start no new paid runs; running ones continue. Their rows are collected."""
    from actorline.cli.administration import pause

    pause.pause(account, as_json=as_json)


def resume(account: Account = None, as_json: AsJson = False) -> None:
    """Start paid runs again; waiting jobs begin."""
    from actorline.cli.administration import pause

    pause.resume(account, as_json=as_json)

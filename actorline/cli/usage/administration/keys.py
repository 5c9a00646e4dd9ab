"""The usage of `keys`."""

from typing import Annotated

import typer

from actorline.cli.commands import make_app
from actorline.cli.usage.completion import complete_account, complete_api_key
from actorline.cli.usage.options import AsJson

keys = make_app("Create, list and revoke API keys for the HTTP gateway.")

Name = Annotated[str, typer.Argument(help="a-z, 0-9 and -", metavar="NAME")]


@keys.command()
def create(
    name: Name,
    scope: Annotated[
        str,
        typer.Option(
            help="What it may do, comma-separated: submit, read, cancel (what it ordered), cancel-any, retry-any, "
            "collect (any run and dataset of the account), full-permissions (Actors may use the whole account), metrics"
        ),
    ] = "submit,read,cancel",
    accounts: Annotated[
        str, typer.Option(help="Whose jobs it may order and see, comma-separated", autocompletion=complete_account)
    ] = "default",
    actors: Annotated[
        str | None, typer.Option(help="The only Actors that it may run, comma-separated: user/name or ID")
    ] = None,
    actor_tasks: Annotated[
        str | None, typer.Option(help="The only Actor tasks that it may run; with --actors alone: none")
    ] = None,
    max_usd_per_run: Annotated[
        float | None, typer.Option(min=0.01, help="Highest max_total_charge_usd of an order, then required")
    ] = None,
    max_usd_per_day: Annotated[
        float | None, typer.Option(min=0.01, help="What all its orders of a day (UTC) may cost together")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key. It is shown once; only its hash is stored."""
    from actorline.cli.administration import keys

    keys.create(name, scope, accounts, actors, actor_tasks, max_usd_per_run, max_usd_per_day, as_json=as_json)


@keys.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List the API keys and what each may do."""
    from actorline.cli.administration import keys

    keys.list_(as_json=as_json)


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument(help="As `list` shows it", metavar="NAME", autocompletion=complete_api_key)],
    as_json: AsJson = False,
) -> None:
    """Revoke an API key; it is refused within a second."""
    from actorline.cli.administration import keys

    keys.revoke(name, as_json=as_json)

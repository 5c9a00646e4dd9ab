"""The usage of `webhooks`."""

from typing import Annotated

import typer

from actorline.cli.commands import make_app
from actorline.cli.usage.completion import complete_webhook
from actorline.cli.usage.options import AsJson

webhooks = make_app("Collect the runs of an Actor, whoever starts them.")


@webhooks.command()
def add(
    document: Annotated[
        str,
        typer.Option(help="Job document without a target, for each run: FILE or - (standard input)", metavar="FILE"),
    ],
    actor: Annotated[
        str | None, typer.Argument(help="Actor: user/name, user~name or ID", metavar="ACTOR", show_default=False)
    ] = None,
    actor_task: Annotated[
        str | None, typer.Option(metavar="ID", help="An Actor task instead: user/name, user~name or ID")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register a webhook for the ends of an Actor's runs, and collect them. Repeat it to change the document."""
    from actorline.cli import webhooks

    webhooks.add(document, actor, actor_task, as_json=as_json)


@webhooks.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List our webhooks, with the outcome of the last event."""
    from actorline.cli import webhooks

    webhooks.list_(as_json=as_json)


@webhooks.command()
def remove(
    hook_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it", autocompletion=complete_webhook)],
    as_json: AsJson = False,
) -> None:
    """Remove a webhook, here and on the platform; what it has collected stays."""
    from actorline.cli import webhooks

    webhooks.remove(hook_id, as_json=as_json)


@webhooks.command()
def rotate(
    now: Annotated[bool, typer.Option("--now", help="Refuse the old secret at once, not after three days")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a new webhook secret, and give it to the platform for each of our webhooks."""
    from actorline.cli import webhooks

    webhooks.rotate(now=now, as_json=as_json)

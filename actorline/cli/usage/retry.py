"""The usage of `retry`."""

from typing import Annotated

import typer

from actorline.cli.usage.completion import complete_key
from actorline.cli.usage.options import Account, Actor, AsJson, DryRun, Labels, Reasons, Since, States
from actorline.jobs.states import TERMINAL, State


def retry(
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            help="The jobs' keys; or select jobs by the options",
            metavar="KEY",
            autocompletion=complete_key(*(TERMINAL - {State.DELIVERED})),
        ),
    ] = None,
    state: States = None,
    label: Labels = None,
    actor: Actor = None,
    account: Account = None,
    reason: Reasons = None,
    since: Since = None,
    dry_run: DryRun = False,
    agreed: Annotated[bool, typer.Option("--yes", help="Selected jobs may start further paid runs")] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Return at once; it needs running workers: `actorline up`")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Retry ended jobs from the cheapest stage: only the missing rows if possible, otherwise another paid run."""
    from actorline.cli import retry
    from actorline.cli.selection import Selection

    wanted = Selection.parse(state, label, actor, account, reason, since)
    retry.retry(keys or [], wanted, dry_run=dry_run, agreed=agreed, no_wait=no_wait, as_json=as_json)

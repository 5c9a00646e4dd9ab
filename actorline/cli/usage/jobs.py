"""The usage of `jobs`, `show` and `cancel`."""

from typing import Annotated

import typer

from actorline.cli.usage.completion import complete_key
from actorline.cli.usage.options import Account, Actor, AsJson, Labels, Reasons, Since, States
from actorline.jobs.states import LIVE

Key = Annotated[str, typer.Argument(help="The job's key", metavar="KEY", autocompletion=complete_key())]

LiveKeys = Annotated[
    list[str] | None,
    typer.Argument(
        help="The jobs' keys; or select jobs by the options", metavar="KEY", autocompletion=complete_key(*LIVE)
    ),
]


def jobs(
    state: States = None,
    label: Labels = None,
    actor: Actor = None,
    account: Account = None,
    reason: Reasons = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="Most jobs to list")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from actorline.cli import jobs
    from actorline.cli.selection import Selection

    jobs.jobs(Selection.parse(state, label, actor, account, reason, since), limit, as_json=as_json)


def show(key: Key, as_json: AsJson = False) -> None:
    """Show a job: its result so far, its timeline and its cost."""
    from actorline.cli import jobs

    jobs.show(key, as_json=as_json)


def cancel(
    keys: LiveKeys = None,
    state: States = None,
    label: Labels = None,
    actor: Actor = None,
    account: Account = None,
    reason: Reasons = None,
    since: Since = None,
    every: Annotated[bool, typer.Option("--all", help="All unfinished jobs")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be stopped")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop jobs: abort their runs, and wait until that is done."""
    from actorline.cli import jobs
    from actorline.cli.selection import Selection

    wanted = Selection.parse(state, label, actor, account, reason, since)
    jobs.cancel(keys or [], wanted, every=every, dry_run=dry_run, as_json=as_json)

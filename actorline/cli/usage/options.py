"""Options of several commands."""

from typing import Annotated

import typer

from actorline.cli.usage.completion import complete_account, complete_reason
from actorline.jobs.states import State

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line")]

States = Annotated[
    list[State] | None,
    typer.Option("--state", help="Jobs in this state; repeat it for more", case_sensitive=False, metavar="STATE"),
]
Labels = Annotated[
    list[str] | None, typer.Option("--label", help="Jobs with this label; repeat it for more", metavar="NAME=VALUE")
]
Actor = Annotated[str | None, typer.Option("--actor", help="Jobs of this Actor or Actor task", metavar="NAME")]
Account = Annotated[
    str | None, typer.Option("--account", help="Jobs of this account", metavar="ALIAS", autocompletion=complete_account)
]
Reasons = Annotated[
    list[str] | None,
    typer.Option(
        "--reason",
        help="Jobs that ended, or wait, for this reason; repeat it for more",
        metavar="CODE",
        autocompletion=complete_reason,
    ),
]
Since = Annotated[str | None, typer.Option("--since", help="Jobs ordered since then: 2h, 7d or a time", metavar="WHEN")]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Return at once and print the key; it needs running workers: `actorline up`")
]
DryOrder = Annotated[
    bool, typer.Option("--dry-run", help="Print the checked document and what it would cost; start nothing")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would do, and whether that costs a run")]

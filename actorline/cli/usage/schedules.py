"""The usage of `schedules`."""

from pathlib import Path
from typing import Annotated

import typer

from actorline.cli.commands import make_app
from actorline.cli.usage.completion import complete_schedule
from actorline.cli.usage.options import AsJson

schedules = make_app("Check schedules.toml, list its schedules and their due times.")


@schedules.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="Default: the file that beat reads", metavar="FILE", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the file as beat does at its start, and name each mistake. Exit code 2 if there is one."""
    from actorline.cli import schedules

    schedules.check(file, as_json=as_json)


@schedules.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List the schedules: the last due time and its outcome, the state of the last job, the next due time."""
    from actorline.cli import schedules

    schedules.list_(as_json=as_json)


ScheduleName = Annotated[
    str, typer.Argument(help="As in schedules.toml", metavar="NAME", autocompletion=complete_schedule)
]


@schedules.command()
def pause(name: ScheduleName, as_json: AsJson = False) -> None:
    """Order nothing for the schedule's due times until it is resumed. Its running job continues."""
    from actorline.cli import schedules

    schedules.pause(name, as_json=as_json)


@schedules.command()
def resume(name: ScheduleName, as_json: AsJson = False) -> None:
    """Order again from the next due time on, also after a job broke its contract (on_guard = "pause")."""
    from actorline.cli import schedules

    schedules.resume(name, as_json=as_json)


@schedules.command(name="next")
def next_(
    name: Annotated[
        str | None,
        typer.Argument(help="Default: all that are enabled", metavar="NAME", autocompletion=complete_schedule),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many due times")] = 5,
    as_json: AsJson = False,
) -> None:
    """Print the next due times, in the schedule's time zone and in UTC."""
    from actorline.cli import schedules

    schedules.next_(name, count, as_json=as_json)

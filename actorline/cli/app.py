"""The command line's entry point: which command to run, and how faults are shown."""

import logging
import os
import sys
from typing import Annotated, Final

import typer

from actorline import __version__
from actorline.cli.commands import CommandTable, make_app
from actorline.cli.terminal.bash_words import complete_whole_words
from actorline.cli.terminal.streams import prepare_streams

COMPLETION_VARIABLE: Final = "_ACTORLINE_COMPLETE"

app = make_app("Runs Apify Actors as Celery jobs: paid once, every row once.", cls=CommandTable, alone_is_help=False)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"actorline {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    del version
    if context.invoked_subcommand is None:
        from actorline.cli.overview import print_overview
        from actorline.cli.terminal.quiet_log import quiet_logs

        quiet_logs()
        print_overview()


def complete() -> None:
    """Print what Tab offers, and exit. A failure offers nothing: a message would land in the line being typed."""
    logging.disable()
    try:
        if os.environ[COMPLETION_VARIABLE] == "complete_bash":
            complete_whole_words(app)
        app()
    except Exception:  # noqa: BLE001 - it would land in the line being typed
        sys.exit(1)


def run_command() -> None:
    """Run the command. A fault is told in words, and has its exit code (cli/terminal/exits.py)."""
    prepare_streams()
    if COMPLETION_VARIABLE in os.environ:
        complete()
    try:
        app()
    except Exception as error:  # noqa: BLE001 - it is told, with its traceback
        from actorline.cli.terminal.faults import exit_code_of

        sys.exit(exit_code_of(error, as_json="--json" in sys.argv))

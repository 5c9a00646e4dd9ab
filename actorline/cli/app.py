"""The command line's entry: what to run, and what a person sees of a fault."""

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from actorline import __version__
from actorline.cli.commands import CommandTable, make_app

app = make_app("Runs Apify Actors as Celery jobs: paid once, every row once.", cls=CommandTable)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"actorline {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    del version


def run_command() -> None:
    """Run what the command line says. No foreseeable fault shows a traceback; each has its exit code (cli/exits.py)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a locale without UTF-8 shows escapes, and fails nothing
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except Exception as error:
        from actorline.cli.faults import exit_code_of

        code = exit_code_of(error, as_json="--json" in sys.argv)
        if code is None:
            raise
        sys.exit(code)

"""The commands, and what becomes of the faults that they meet."""

import sys
from typing import Annotated

import redis
import typer
from kombu.exceptions import OperationalError

from actorline import __version__
from actorline.cli import (
    brake,
    demo,
    doctor,
    gateway,
    jobs,
    keys,
    orphans,
    processes,
    retry,
    rows,
    run,
    schedules,
    submit,
    verify,
    watch,
    webhooks,
)
from actorline.cli.exits import Exit, exit_of_reason
from actorline.cli.output import out, print_refusal, quiet_logs, say
from actorline.errors import Code, Reason, Refused, Unavailable
from actorline.jobs.redis_faults import describe_fault
from actorline.settings import SettingsError

app = typer.Typer(
    help="Runs Apify Actors as Celery jobs: paid once, every row once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    demo.demo, run.run, jobs.jobs, jobs.show, jobs.cancel, retry.retry, rows.items, rows.records, verify.verify,
    submit.submit, watch.watch, brake.pause, brake.resume, doctor.doctor, orphans.orphans,
    processes.up, processes.worker, processes.beat, processes.flower, gateway.gateway, processes.emulator,
):  # fmt: skip
    app.command()(command)
app.add_typer(keys.keys, name="keys")
app.add_typer(schedules.schedules, name="schedules")
app.add_typer(webhooks.webhooks, name="webhooks")


def _print_version(asked: bool) -> None:
    if asked:
        out.print(f"actorline {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    del version


def run_command() -> None:
    """Do what the command line says. No foreseeable fault shows a traceback; each has its exit code (cli/exits.py)."""
    as_json = "--json" in sys.argv
    quiet_logs()
    try:
        app()
    except SettingsError as error:
        say(str(error))
        sys.exit(Exit.USAGE)
    except (Refused, Unavailable) as error:
        print_refusal(error.reason, as_json=as_json)
        sys.exit(exit_of_reason(error.reason))
    except (redis.RedisError, OperationalError) as error:
        message = f"Redis can't be used: {describe_fault(error)}. Is it running? Look at it with `actorline doctor`."
        print_refusal(Reason(code=Code.REDIS_UNAVAILABLE, message=message, billed=False), as_json=as_json)
        sys.exit(Exit.UNAVAILABLE)

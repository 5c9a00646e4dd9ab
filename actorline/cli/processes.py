"""`up`, `worker`, `beat`, `flower`, `emulator`: long-running processes, started by command."""

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from actorline.cli.attach import child_environment, command_of, open_home
from actorline.cli.terminal.output import say
from actorline.errors import Code, Unavailable
from actorline.schedules.schedules_file import find_schedules, load_schedules
from actorline.settings import Settings, load_settings


class Kind(StrEnum):
    CONTROL = "control"
    FETCH = "fetch"
    ALL = "all"


def up(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the HTTP gateway; 0: any free one")] = 8470,
    flower_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of Flower; 0: any free one")] = 5555,
    show_addresses: Annotated[bool, typer.Option("--show-addresses", help="Also print Redis's passwords")] = False,
) -> None:
    """Run Valkey, workers, beat, Flower and the HTTP gateway, and keep them running; Ctrl-C drains them."""
    settings = load_settings()
    open_home(settings).close()
    if file := find_schedules(settings):
        load_schedules(file)  # a mistake is reported here, not in beat's log
    if not settings.tokens:
        say("No token is set: jobs will be refused. Set APIFY_TOKEN.")
    say(f"Starting Actorline in {settings.home} (logs in {settings.home}/logs). Press Ctrl-C to stop.")
    ports = ["--flower-port", str(flower_port), "--gateway-port", str(port)]
    shown = ["--show-addresses"] if show_addresses else []
    _become(settings, "stack", "--stay", "--flower", "--gateway", *ports, *shown)


def worker(
    kinds: Annotated[
        list[Kind] | None, typer.Argument(help="control, fetch; both by default", metavar="[KIND]...")
    ] = None,
) -> None:
    """Run one worker process, for containers."""
    chosen = set(kinds or [Kind.ALL])
    kind = chosen.pop() if len(chosen) == 1 else Kind.ALL
    _become(with_redis(), "worker", kind)


def beat() -> None:
    """Run celery beat on schedules.toml."""
    _become(with_redis(), "beat")


def flower(
    address: Annotated[str, typer.Option(help="Other than loopback, it needs FLOWER_BASIC_AUTH")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 5555,
) -> None:
    """Run Flower, the dashboard."""
    _become(with_redis(), "flower", address, str(port))


def emulator(
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8480,
    profile: Annotated[str | None, typer.Option(help="JSON file that describes its Actors")] = None,
) -> None:
    """Run a local Apify API to try Actorline against. It needs the extra `emulator`."""
    options = ["--host", host, "--port", str(port), *(["--profile", profile] if profile else [])]
    os.execve(  # noqa: S606 - our own command
        sys.executable, [sys.executable, "-P", "-m", "actorline.emulator", *options], dict(os.environ)
    )


def with_redis() -> Settings:
    """Return the settings of a process that needs Redis. Raises Unavailable if there is none."""
    settings = load_settings()
    if settings.redis_url is None and not settings.socket.exists():
        message = (
            "No Redis is configured, and no embedded one runs here. "
            "Set ACTORLINE_REDIS_URL, or run `actorline up`, which starts its own."
        )
        raise Unavailable(Code.REDIS_UNAVAILABLE, message)
    return settings


def _become(settings: Settings, *arguments: str) -> None:
    """Become the process, so that signals reach it."""
    command = command_of(*arguments)
    os.execve(command[0], command, child_environment(settings))  # noqa: S606 - our own command

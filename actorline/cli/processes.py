"""`up`, `worker`, `beat`, `flower`, `emulator`: long-running processes, started by command."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from actorline.cli.attach import child_environment, command_of, open_home
from actorline.cli.terminal.output import say
from actorline.early_stop import hold_back_stops
from actorline.errors import Code, Unavailable
from actorline.schedules.schedules_file import find_schedules, load_schedules
from actorline.settings import Settings, load_settings

BOTH_KINDS: Final = "all"


def up(port: int, flower_port: int, redis_port: int | None, redis_host: str, *, show_addresses: bool) -> None:
    settings = load_settings()
    open_home(settings).close()
    if file := find_schedules(settings):
        load_schedules(file)  # a mistake is reported here, not in beat's log
    if not settings.tokens:
        say("No token is set: jobs will be refused. Set APIFY_TOKEN.")
    say(f"Starting Actorline in {settings.home} (logs in {settings.home}/logs). Press Ctrl-C to stop.")
    ports = ["--flower-port", str(flower_port), "--gateway-port", str(port)]
    redis = [] if redis_port is None else ["--redis-port", str(redis_port), "--redis-host", redis_host]
    shown = ["--show-addresses"] if show_addresses else []
    _become(settings, "stack", "--stay", "--flower", "--gateway", *ports, *redis, *shown)


def worker(kinds: Sequence[str]) -> None:
    _become(with_redis(), "worker", kinds[0] if len(set(kinds)) == 1 else BOTH_KINDS)


def beat() -> None:
    _become(with_redis(), "beat")


def flower(address: str, port: int) -> None:
    _become(with_redis(), "flower", address, str(port))


def emulator(host: str, port: int, profile: str | None) -> None:
    options = ["--host", host, "--port", str(port), *(["--profile", profile] if profile else [])]
    become([sys.executable, "-P", "-m", "actorline.emulator", *options], os.environ)


def with_redis() -> Settings:
    """Return the settings of a process that needs Redis. Raises Unavailable if there is none."""
    settings = load_settings()
    if settings.redis_url is None and not settings.socket.exists():
        raise Unavailable(
            Code.REDIS_UNAVAILABLE,
            "No Redis is configured, and no embedded one runs here. "
            "Set ACTORLINE_REDIS_URL, or run `actorline up`, which starts its own.",
        )
    return settings


def _become(settings: Settings, *arguments: str) -> None:
    become(command_of(*arguments), child_environment(settings))


def become(command: list[str], environment: Mapping[str, str]) -> None:
    """Become the process, so that signals reach it: also those that come before it can obey them."""
    hold_back_stops()
    os.execve(command[0], command, environment)

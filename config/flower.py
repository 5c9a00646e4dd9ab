"""Flower: what it shows, and to whom. A password comes from `FLOWER_BASIC_AUTH`, never from the command line."""

import ipaddress
import os
from typing import Final

from actorline.settings import SettingsError

COLUMNS: Final = "name,args,state,received,runtime,worker,uuid"
MAX_TASKS: Final = 10_000


def flower_arguments(address: str, port: int) -> list[str]:
    """Raises SettingsError if Flower would be open to others without a password."""
    if not _is_loopback(address) and not os.environ.get("FLOWER_BASIC_AUTH"):
        message = (
            f"Flower would be open to everybody at {address}. Set FLOWER_BASIC_AUTH=user:password, "
            "or let it listen on 127.0.0.1."
        )
        raise SettingsError(message)
    return [
        f"--address={address}",
        f"--port={port}",
        f"--tasks_columns={COLUMNS}",
        f"--max_tasks={MAX_TASKS}",
        "--natural_time=true",
        "--purge_offline_workers=60",
    ]


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"

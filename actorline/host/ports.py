"""Ports of this machine: one in use is refused with the name of its program, never changed silently."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from actorline.errors import SettingsError

LISTENING: Final = "0A"


def choose_port(host: str, port: int, *, option: str = "--port") -> int:
    """Return `port` if it can be listened on, or any free one for 0. Raises SettingsError if it is in use."""
    with socket.socket(family_of(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            raise refusal(host, port, error, option=option) from error
        return int(probe.getsockname()[1])


def refusal(host: str, port: int, error: OSError, *, option: str = "--port") -> SettingsError:
    """Return the error that names the port's program and says how to choose another."""
    holder = holder_of(port)
    why = f"{holder} is already listening there" if holder else f"{error.strerror}"
    return SettingsError(
        f"{host}:{port} can't be listened on: {why}. Nothing was started. "
        f"Choose another port: {option} PORT, or {option} 0 for any free one."
    )


def family_of(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def holder_of(port: int) -> str | None:
    """Return the program that listens on the port, as far as Linux shows it; unnamed if it is another user's."""
    links = {f"socket:[{inode}]" for inode in _listening(port)}
    if not links:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(file.readlink()) in links for file in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:  # another user's, or ended by now
            continue
    return "a program of another user"


def _listening(port: int) -> Iterator[str]:
    """Yield the inodes of the sockets that listen on the port (proc_pid_net(5))."""
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:  # not Linux
            continue
        for _, local, _, state, *_, inode in (line.split()[:10] for line in lines):
            if state == LISTENING and int(local.rpartition(":")[2], 16) == port:
                yield inode

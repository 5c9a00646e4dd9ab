"""A folder that only its owner can read, whatever the umask and however it was created."""

import os
import stat
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o700
PRIVATE_FILE: Final = 0o600
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def make_private(folder: Path) -> None:
    """Create the folder, or make an existing one private; safe to repeat.

    The mode of a mount point, such as a container's volume, is left to the operator; a folder with the sticky bit is
    one that users share. Raises PermissionError if it belongs to another user and others can write to it.
    """
    folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & stat.S_ISVTX:
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(0, "other users can write to it", str(folder))
        return
    if found.st_mode & OTHERS and not folder.is_mount():
        folder.chmod(PRIVATE)


def private_opener(path: str, flags: int) -> int:
    """Open a file for `open(..., opener=private_opener)`: a new one is readable by its owner only."""
    return os.open(path, flags, PRIVATE_FILE)

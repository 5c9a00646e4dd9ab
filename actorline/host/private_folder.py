"""A folder that only its owner can read, whatever the umask and however it was created."""

import errno
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
    if _is_shared(found):
        _refuse_writers(folder, found)
    elif found.st_mode & OTHERS and not folder.is_mount():
        folder.chmod(PRIVATE)


def check_private(folder: Path) -> None:
    """Raise OSError if the folder can't be made private, nor files in it, as far as a look tells. Changes nothing."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        existing = next(each for each in folder.parents if each.exists())
    else:
        existing = folder
        if _is_shared(found):
            _refuse_writers(folder, found)
    if not existing.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(existing))
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(existing))


def _is_shared(found: os.stat_result) -> bool:
    return found.st_uid != os.getuid() or bool(found.st_mode & stat.S_ISVTX)


def _refuse_writers(folder: Path, found: os.stat_result) -> None:
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(0, "other users can write to it", str(folder))


def private_opener(path: str, flags: int) -> int:
    """Open a file for `open(..., opener=private_opener)`: a new one is readable by its owner only."""
    return os.open(path, flags, PRIVATE_FILE)

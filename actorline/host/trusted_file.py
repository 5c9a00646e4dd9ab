"""Whether a file found by its location can only have been written by its reader, as ssh and git require."""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path


def searched_folders(start: Path) -> Iterator[Path]:
    """Yield the folder and those above it, up to the user's home or a mount point; users share those beyond."""
    last = _home()
    for folder in (start, *start.parents):
        yield folder
        if folder == last or folder.is_mount():
            return


def distrust(file: Path, *, also: int | None = None) -> str | None:
    """Return why another user could have written the file; None: its reader, root or the user `also` wrote it."""
    for path in dict.fromkeys((file, file.parent, file.resolve().parent)):
        found = path.stat()
        if found.st_uid not in {0, os.getuid(), also}:
            return f"{path} belongs to another user"
        if _is_writable_by_others(found):
            return f"other users can write to {path}"
    return None


def _is_writable_by_others(found: os.stat_result) -> bool:
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        return False  # users can't replace each other's files there
    by_group = found.st_mode & stat.S_IWGRP and not _is_private_group(found.st_gid)
    return bool(by_group or found.st_mode & stat.S_IWOTH)


def _is_private_group(gid: int) -> bool:
    """Return whether it is the user's own group, as most Linux systems have for each user (with umask 002)."""
    try:
        return grp.getgrgid(gid).gr_name == pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return False


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # a container's user without a home
        return None

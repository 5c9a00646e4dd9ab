"""The log files of the embedded stack's processes: one each, bounded also while the process runs.

A process writes to its standard output, as do the programs that it starts and whatever tells of its crash, so none of
them could begin another file by itself. Instead the file is copied and emptied; each write goes to its end.
"""

import os
import shutil
from pathlib import Path
from typing import BinaryIO, Final

from actorline.host.private_folder import make_private
from actorline.visible import visible

LOG_BYTES: Final = 20_000_000
LINE_BYTES: Final = 1_000


def open_log(folder: Path, name: str) -> BinaryIO:
    """Return the process's log, to be written at its end."""
    make_private(folder)
    return (folder / f"{name}.log").open("ab")


def last_line(folder: Path, name: str) -> str:
    """Return the last line of the process's log, as far as its last 1,000 bytes have it."""
    with (folder / f"{name}.log").open("rb") as log:
        log.seek(max(log.seek(0, os.SEEK_END) - LINE_BYTES, 0))
        return visible(log.read().decode(errors="replace").strip().rpartition("\n")[2])


def set_aside_long_logs(folder: Path, *, most_bytes: int = LOG_BYTES) -> None:
    """Keep one older file of each log that has become long. A line that is written at that moment may be lost."""
    for file in folder.glob("*.log"):
        if file.stat().st_size > most_bytes:
            shutil.copyfile(file, file.with_suffix(".log.1"))
            with file.open("r+b") as log:
                log.truncate(0)

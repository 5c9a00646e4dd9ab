"""Whether a folder's disk is full, as a person would call it."""

import shutil
from pathlib import Path
from typing import Final

FULL_BYTES: Final = 1_000_000


def is_full(folder: Path) -> bool:
    """Return whether hardly anything can be written there any more."""
    return shutil.disk_usage(folder).free < FULL_BYTES

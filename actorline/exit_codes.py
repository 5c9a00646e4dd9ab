"""The exit codes that every process has in common, and how it says why it ends."""

import sys
from typing import Final

from actorline.errors import SettingsError, Unavailable

USAGE: Final = 2
UNAVAILABLE: Final = 7


def report(error: SettingsError | Unavailable) -> int:
    """Write the error for a person, and return the exit code."""
    sys.stderr.write(f"{error}\n")
    return UNAVAILABLE if isinstance(error, Unavailable) else USAGE

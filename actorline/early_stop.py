"""A stop, such as Ctrl-C, that comes while a process is still loading its modules. Imports nothing that takes time."""

import os
import signal
import sys
from types import FrameType
from typing import Final

STOPS: Final = (signal.SIGTERM, signal.SIGINT)


def obey_early_stops() -> None:
    """Exit with 0 on a stop, also on one that was held back; later the process's own handlers apply."""
    for number in STOPS:
        signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def hold_back_stops() -> None:
    """Let stops wait for the process that this one becomes by `exec`: else Python's start may show a traceback."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)


def _end(_: int, frame: FrameType | None) -> None:
    """Exit cleanly. At once in the middle of an import: a module in Rust makes something else of the exception, and a
    traceback.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(0)
        frame = frame.f_back
    sys.exit(0)

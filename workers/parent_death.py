"""A child of the stack ends with it, also when the supervisor is killed by SIGKILL and can't take it down."""

import ctypes
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """To be called in the child before exec. Linux only; elsewhere the child outlives a killed supervisor."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

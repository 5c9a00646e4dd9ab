"""Children of the stack end with it, even if the supervisor is killed by SIGKILL."""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Request SIGTERM at the death of `parent`, a process id; to be called in the child, before exec. Linux only."""
    if _libc is not None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # until exec the parent's own handler would take it
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the request
            os._exit(0)

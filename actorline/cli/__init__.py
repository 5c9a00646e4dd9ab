"""The command line: `actorline`."""

import atexit
import gc
import sys

INTERRUPTED = 130  # as in cli/terminal/exits.py, whose imports take a second
OBJECTS = 100_000  # by default it is 700: loading modules then spends a tenth of its time looking for garbage


def main() -> None:
    """Run the console script. Ctrl-C shows no traceback, not even while modules are being loaded."""
    gc.set_threshold(OBJECTS)
    atexit.register(gc.freeze)  # else the interpreter looks for garbage as it ends: a fifth of a command's CPU
    try:
        from actorline.cli.app import run_command

        run_command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

"""The terminal door: `actorline`."""

import sys

INTERRUPTED = 130  # as in cli/exits.py, which is part of what takes a second to load


def main() -> None:
    """The console script. Ctrl-C shows no traceback, also while everything is still being loaded."""
    try:
        from actorline.cli.app import run_command

        run_command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

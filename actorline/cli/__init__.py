"""The command line: `actorline`."""

import sys

INTERRUPTED = 130  # as in cli/exits.py, whose imports take a second


def main() -> None:
    """Run the console script. Ctrl-C shows no traceback, not even while modules are being loaded."""
    try:
        from actorline.cli.app import run_command

        run_command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

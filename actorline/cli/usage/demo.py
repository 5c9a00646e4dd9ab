"""The usage of `demo`."""

from typing import Annotated

import typer


def demo(keep: Annotated[bool, typer.Option("--keep", help="Keep everything running until Ctrl-C")] = False) -> None:
    """Run three jobs against a local emulator, and check the results."""
    from actorline.cli import demo

    demo.demo(keep=keep)

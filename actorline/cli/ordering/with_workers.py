"""An order of the command line beside workers: those that run, or its own until it ends."""

from collections.abc import Callable

from actorline.cli.attach import AttachedStack, attach, check_running
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.progress import Interrupts
from actorline.settings import Settings


def with_workers(
    settings: Settings, order: Callable[[AttachedStack, Interrupts], Exit], *, what: str, no_wait: bool
) -> Exit:
    """Order with a stack that has workers, and return how that ended. `what`: is ordered.

    Raises Refused if nobody would run it after a command that doesn't wait.
    """
    if no_wait:
        check_running(
            settings,
            f"No stack is running that would run the {what} after this command. Nothing was started. "
            "Start one with `actorline up`, or leave out --no-wait.",
        )
    with Interrupts() as interrupts, attach(settings, workers=not no_wait, to_order=True) as stack:
        return Exit.INTERRUPTED if interrupts.count else order(stack, interrupts)

"""The execution that makes a delivery, as those see it who do a part of it."""

from collections.abc import Callable
from dataclasses import dataclass

from actorline.identifiers import ExecutionToken


@dataclass(frozen=True)
class Execution:
    """`keep_alive` is called now and then, and may raise to stop. `confirm` raises if another execution may be at work
    on the same delivery; it is asked before anything is replaced.
    """

    token: ExecutionToken
    keep_alive: Callable[[], None]
    confirm: Callable[[], None]

"""A staged file gets its name, also if another execution's file has it."""

from collections.abc import Callable
from typing import BinaryIO

from actorline.delivery.read_back import measure
from actorline.delivery.sink import Sink


def publish_over(
    sink: Sink,
    file: BinaryIO,
    name: str,
    size: int,
    sha256: str,
    *,
    aside: str,
    confirm: Callable[[], None] = lambda: None,
) -> bool:
    """Publish a file of this size and hash, unless the same is there already. Another one is moved to `aside`, once
    `confirm` has been called, which may raise. Return whether one was moved.
    """
    if sink.publish(file, name) or _holds_same(sink, name, size, sha256):
        return False
    confirm()
    sink.publish_instead(file, name, aside)
    return True


def _holds_same(sink: Sink, name: str, size: int, sha256: str) -> bool:
    with sink.open(name) as file:
        return measure(file) == (size, sha256)

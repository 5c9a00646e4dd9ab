"""A process that is asked to stop gives back what it has in hand, so that another one goes on with it at once."""

import threading

_asked = threading.Event()


class GivenBackError(Exception):
    """Raised between two steps of a piece of work: its message is to go back to the queue."""


def ask_to_stop() -> None:
    """From now on no work of this process goes on to its next step."""
    _asked.set()


def is_stopping() -> bool:
    return _asked.is_set()


def give_back_if_stopping() -> None:
    if _asked.is_set():
        raise GivenBackError

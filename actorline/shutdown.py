"""A stopping process gives back its unfinished work, so that another one continues it at once."""

import threading

_asked = threading.Event()


class GivenBack(Exception):
    """Raised between two steps of a task: its message goes back to the queue."""


def ask_to_stop() -> None:
    """Stop this process's tasks before their next step."""
    _asked.set()


def is_stopping() -> bool:
    return _asked.is_set()


def give_back_if_stopping() -> None:
    if _asked.is_set():
        raise GivenBack

"""Keeps a lease alive from a background thread while a slow step runs, even one that blocks in a slow sink."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actorline.shutdown import give_back_if_stopping


@contextmanager
def every(seconds: float, call: Callable[[], None], *, thread_name: str) -> Iterator[None]:
    """Call `call`, which mustn't raise, every so many seconds in a thread of its own, until the block ends."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            call()

    thread = threading.Thread(target=repeat, name=thread_name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def renewed(
    renew: Callable[[], None], every_s: float, *, cut: Callable[[], None] = lambda: None
) -> Iterator[Callable[[], None]]:
    """Call `renew` every `every_s` seconds until the block ends.

    Yields a check for the block to call between its steps: it raises what `renew` raised, which is not called again, or
    GivenBack if this process is stopping. `cut` is called as soon as there is something to raise, to end what the
    block waits for; an error that this causes in the block is raised as the cause.
    """
    failures: list[Exception] = []

    def keep_on() -> None:
        if failures:
            return
        try:
            give_back_if_stopping()
            renew()
        except Exception as error:  # noqa: BLE001 - the check raises it in the block's own thread
            failures.append(error)
            cut()

    def check() -> None:
        give_back_if_stopping()
        if failures:
            raise failures[0]

    with every(every_s, keep_on, thread_name="renewing"):
        try:
            yield check
        except Exception as error:
            if failures and error is not failures[0]:
                raise failures[0] from error
            raise

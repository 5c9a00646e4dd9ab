"""Keeps a lease alive from a background thread while a slow step runs, even one that blocks in a slow sink."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actorline.shutdown import give_back_if_stopping


@contextmanager
def renewed(
    renew: Callable[[], None], every_s: float, *, cut: Callable[[], None] = lambda: None
) -> Iterator[Callable[[], None]]:
    """Call `renew` every `every_s` seconds until the block ends.

    Yields a check for the block to call between its steps: it raises what `renew` raised, which is not called again, or
    GivenBack if this process is stopping. `cut` is called as soon as there is something to raise, to end what the
    block waits for; an error that this causes in the block is raised as the cause.
    """
    ended = threading.Event()
    failures: list[Exception] = []

    def keep_on() -> None:
        while not ended.wait(every_s):
            try:
                give_back_if_stopping()
                renew()
            except Exception as error:  # noqa: BLE001 - the check raises it in the block's own thread
                failures.append(error)
                cut()
                return

    def check() -> None:
        give_back_if_stopping()
        if failures:
            raise failures[0]

    thread = threading.Thread(target=keep_on, name="renewing", daemon=True)
    thread.start()
    try:
        yield check
    except Exception as error:
        if failures and error is not failures[0]:
            raise failures[0] from error
        raise
    finally:
        ended.set()
        thread.join()

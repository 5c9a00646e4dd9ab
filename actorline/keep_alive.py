"""While a step takes long, however long a slow sink blocks it: a thread beside it says that it goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actorline.shutdown import give_back_if_stopping


@contextmanager
def renewed(
    renew: Callable[[], None], every_s: float, *, cut: Callable[[], None] = lambda: None
) -> Iterator[Callable[[], None]]:
    """Call `renew` every so many seconds until the block ends.

    Yields a check for the block to call between its steps: it raises what `renew` raised, which is not called again,
    or GivenBackError if this process is to stop. `cut` is called as soon as there is something to raise, to end what
    the block waits for; what breaks in the block because of it is raised as its cause.
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

"""While a step takes long, however long a slow sink blocks it: a thread beside it says that it goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def renewed(renew: Callable[[], None], every_s: float) -> Iterator[Callable[[], None]]:
    """Call `renew` every so many seconds until the block ends.

    Yields a check for the block to call between its steps: it raises what `renew` raised, which is not called again.
    """
    ended = threading.Event()
    failures: list[Exception] = []

    def keep_on() -> None:
        while not ended.wait(every_s):
            try:
                renew()
            except Exception as error:  # noqa: BLE001 - the check raises it in the block's own thread
                failures.append(error)
                return

    def check() -> None:
        if failures:
            raise failures[0]

    thread = threading.Thread(target=keep_on, name="renewing", daemon=True)
    thread.start()
    try:
        yield check
    finally:
        ended.set()
        thread.join()

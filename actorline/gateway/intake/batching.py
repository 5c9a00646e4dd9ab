"""A thread that works on everything queued since its last turn: many small things share one round trip."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

CLOSE_SECS: Final = 5.0


class Batcher(Generic[T]):
    """`work` gets at least one thing, and more until they weigh `most` together. It must not raise.

    `gather_s`: how long the first of a group waits for others.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[list[T]], None],
        *,
        most: int,
        weight: Callable[[T], int] = lambda _: 1,
        gather_s: float = 0,
    ) -> None:
        self._work = work
        self._most = most
        self._weight = weight
        self._gather_s = gather_s
        self._things: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, thing: T) -> None:
        self._things.put(thing)

    def close(self) -> None:
        """Finish what is queued, within 5 s."""
        self._things.put(None)
        self._thread.join(CLOSE_SECS)

    def _run(self) -> None:
        while self._work_on_next():
            pass

    def _work_on_next(self) -> bool:
        """Work on the next group; return False after the last. No reference outlives the call: a group may be large."""
        thing = self._things.get()
        if thing is None:
            return False
        time.sleep(self._gather_s)
        group, weight = [thing], self._weight(thing)
        while weight < self._most and (thing := self._gathered()) is not None:
            group.append(thing)
            weight += self._weight(thing)
        self._work(group)
        return True

    def _gathered(self) -> T | None:
        """Return the next queued thing, if any; the end marker stays for the next call."""
        try:
            thing = self._things.get_nowait()
        except queue.Empty:
            return None
        if thing is None:
            self._things.put(None)
        return thing

"""A sink that doesn't respond holds up the steps of its own jobs, once, and not the slots that starts and polls share.

A store that accepts a request and stays silent is left by its library after two minutes, a dead network drive never. So
a short step waits a few seconds, and while its call hasn't come back, further ones for that place don't wait at all.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from actorline.delivery.sink import SinkError

T = TypeVar("T")

SINK_WAIT_SECS: Final = 10.0

_overdue: Final[dict[str, Future[Any]]] = {}
"""Place -> the call that hasn't come back in time."""


class SilentSink(SinkError):
    """The sink didn't respond in time. What was asked of it may still be done."""

    def __init__(self) -> None:
        super().__init__("The sink doesn't respond.")


def soon(sink_url: str, call: Callable[[], T], *, within_s: float = SINK_WAIT_SECS) -> T:
    """Return what the call returns, or raise what it raises; SilentSink if that takes too long.

    The call must be safe to repeat: it keeps running in its own thread.
    """
    place = _place(sink_url)
    last = _overdue.get(place)
    if last and not last.done():
        raise SilentSink
    future: Future[Any] = Future()
    threading.Thread(target=_complete, args=(future, call), name="sink-call", daemon=True).start()
    try:
        return cast("T", future.result(within_s))
    except TimeoutError:
        if future.done():  # the call's own
            raise
        _overdue[place] = future
        raise SilentSink from None


def _place(sink_url: str) -> str:
    """Return the bucket, or the folder in which jobs have theirs."""
    parts = urlsplit(sink_url)
    return f"{parts.scheme}://{parts.netloc or parts.path.rstrip('/').rpartition('/')[0]}"


def _complete(future: Future[Any], call: Callable[[], object]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - raised where the call is waited for
        future.set_exception(error)

"""A worker process with one fault, named in the environment: `python faulty_worker.py KIND`.

CHAOS_DIE="module:Class.function nth before|after": SIGKILL at that call; CHAOS_FREEZE: SIGSTOP, likewise.
CHAOS_LOSE="task nth, ..." and CHAOS_DOUBLE="task nth, ...": the broker loses or doubles the nth message of a task of
ours, and nobody is told. CHAOS_PATIENCE=secs: how long a response of the platform is waited for.
"""

import importlib
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from kombu.transport.redis import Channel

from actorline.platform.client import Platform
from actorline.platform.start import post_start
from workers.__main__ import main

_lock = threading.Lock()
_seen: Counter[str] = Counter()


def nth_of(name: str) -> int:
    with _lock:
        _seen[name] += 1
        return _seen[name]


def strike(number: signal.Signals) -> None:
    """Here and now: a SIGSTOP to the process would wake another thread first, and this one would run on meanwhile."""
    signal.pthread_kill(threading.get_ident(), number)


def strike_at(number: signal.Signals, place: str, nth: int, moment: str) -> None:
    module, _, path = place.partition(":")
    owner, _, name = path.rpartition(".")
    holder: Any = importlib.import_module(module)
    for part in filter(None, owner.split(".")):
        holder = getattr(holder, part)
    original: Callable[..., Any] = getattr(holder, name)

    @wraps(original)
    def struck(*args: Any, **kwargs: Any) -> Any:
        if "actorline.upkeep" in args:  # one a second: not the job's
            return original(*args, **kwargs)
        here = nth_of(place) == nth
        if here and moment == "before":
            strike(number)
        response = original(*args, **kwargs)
        if here and moment == "after":
            strike(number)
        return response

    setattr(holder, name, struck)


def put_times(struck: set[tuple[str, int]], times: int) -> None:
    original = Channel._put

    def put(self: Any, queue: str, message: Any, **options: Any) -> None:
        task = message.get("headers", {}).get("task")
        for _ in range(times if (task, nth_of(str(task))) in struck else 1):
            original(self, queue, message, **options)

    Channel._put = put


for name, number in (("CHAOS_DIE", signal.SIGKILL), ("CHAOS_FREEZE", signal.SIGSTOP)):
    if fault := os.environ.get(name):
        place, nth, moment = fault.split()
        strike_at(number, place, int(nth), moment)
for name, times in (("CHAOS_LOSE", 0), ("CHAOS_DOUBLE", 2)):
    if fault := os.environ.get(name):
        put_times({(task, int(nth)) for task, nth in (each.split() for each in fault.split(","))}, times)
if patience := os.environ.get("CHAOS_PATIENCE"):
    Platform.__init__.__kwdefaults__["read_timeout_s"] = float(patience)
    post_start.__kwdefaults__["silence_s"] = float(patience)
sys.exit(main(["worker", *sys.argv[1:]]))

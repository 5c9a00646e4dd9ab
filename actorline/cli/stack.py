"""The stack that a command works with: the one that runs at this Redis, or its own for as long as it takes."""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import redis

from actorline.cli.output import say
from actorline.errors import Code, Unavailable
from actorline.jobs.ledger import Ledger, connect
from actorline.jobs.messages import make_sender
from actorline.settings import Settings

START_SECS: Final = 30.0
LOOK_SECS: Final = 0.1
STATE_FILE: Final = "stack.json"
LOCK_FILE: Final = "stack.lock"
USERS_FILE: Final = "stack.users"


@dataclass(frozen=True)
class Attached:
    """A ledger to work with; `brought_up`: the stack is ours and ends with this command."""

    ledger: Ledger
    brought_up: bool
    flower: str | None = None


@contextmanager
def attach(settings: Settings, *, workers: bool, flower: bool = False) -> Iterator[Attached]:
    """Use the stack at this Redis; bring up what is missing (`workers`: somebody has to do jobs).

    Raises Unavailable if Redis can't be reached.
    """
    if settings.redis_url is not None:
        ledger = open_ledger(settings)
        if not workers or _has_workers(settings):
            yield Attached(ledger, brought_up=False)
            return
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.home / USERS_FILE).open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits for a stack that is just going down
        state, ours = _stack(settings, workers=workers, flower=flower)
        yield Attached(open_ledger(settings), brought_up=ours, flower=state.get("flower"))


def open_ledger(settings: Settings) -> Ledger:
    """Raises Unavailable if Redis doesn't answer."""
    ledger = Ledger(connect(settings.ledger), settings.namespace)
    try:
        ledger.redis.ping()
    except redis.RedisError as error:
        message = (
            f"Redis can't be used: {_cause(error)}. Nothing was started. "
            "Is ACTORLINE_REDIS_URL right, and is Redis running? Unset it, and Actorline brings its own."
        )
        raise Unavailable(Code.REDIS_UNAVAILABLE, message) from error
    return ledger


def wait_until_gone(settings: Settings) -> None:
    """Wait until a stack that this command brought up has taken down its processes."""
    with (settings.home / LOCK_FILE).open("a") as lock:
        deadline = time.monotonic() + START_SECS
        while time.monotonic() < deadline:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOOK_SECS)
            else:
                return


def _stack(settings: Settings, *, workers: bool, flower: bool) -> tuple[dict[str, Any], bool]:
    """The state of the stack in this home, and whether we brought it up."""
    deadline = time.monotonic() + START_SECS
    started: subprocess.Popen[bytes] | None = None
    while time.monotonic() < deadline:
        if _is_running(settings):
            state = _read_state(settings)
            if state and (state["workers"] or not workers):
                return state, started is not None
        elif started is None or started.poll() is not None:
            if started is not None and started.returncode not in {0, os.EX_TEMPFAIL}:
                break
            started = _spawn(settings, workers=workers, flower=flower)
        time.sleep(LOOK_SECS)
    message = f"The embedded stack did not start. Nothing was started or billed. See {settings.home}/logs/."
    raise Unavailable(Code.REDIS_UNAVAILABLE, message)


def _spawn(settings: Settings, *, workers: bool, flower: bool) -> "subprocess.Popen[bytes]":
    options = ([] if workers else ["--only-redis"]) + (["--flower"] if flower else [])
    logs = settings.home / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    if workers:
        say("No stack is running here: bringing one up for as long as it takes.")
    with (logs / "stack.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own command
            command_of("stack", *options),
            env=child_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in this terminal must not take the workers down before the job is stopped
        )


def command_of(*arguments: str) -> list[str]:
    """One of our processes, by command. `-P`: the working directory may hold a foreign `config` or `tasks`."""
    return [sys.executable, "-P", "-m", "workers", *arguments]


def child_environment(settings: Settings) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**environment, "ACTORLINE_HOME": str(settings.home)}


def _is_running(settings: Settings) -> bool:
    path = settings.home / LOCK_FILE
    if not path.exists():
        return False
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _read_state(settings: Settings) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads((settings.home / STATE_FILE).read_text())
    except (OSError, ValueError):
        return None
    return state


def _has_workers(settings: Settings) -> bool:
    """Whether a worker takes our control queue at this Redis."""
    sender = make_sender(settings)
    try:
        answers = sender.control.inspect(timeout=1.0).active_queues() or {}
    except sender.connection_for_read().connection_errors:
        return False
    finally:
        sender.close()
    queue = f"{settings.namespace}.control"
    return any(each["name"] == queue for queues in answers.values() for each in queues)


def _cause(error: redis.RedisError) -> str:
    """The server's or the system's words, without the address: it may hold a password."""
    if isinstance(error, redis.AuthenticationError):
        return "it wants another password"
    if isinstance(error, redis.TimeoutError):
        return "it does not answer in time"
    if isinstance(error, redis.exceptions.BusyLoadingError):
        return "it is still loading its data"
    if isinstance(error, redis.ConnectionError):
        return "no connection"
    return str(error)[:200]

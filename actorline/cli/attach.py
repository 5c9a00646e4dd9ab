"""The stack that a command works with: the one that is running on this Redis, or its own until it ends."""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import redis

from actorline.cli.terminal.output import say
from actorline.errors import Code, Refused, Unavailable
from actorline.host.child_path import inherited_environment
from actorline.host.full_disk import is_full
from actorline.host.private_folder import check_private, make_private, private_opener
from actorline.host.stack_home import LOCK_FILE, STATE_FILE, USERS_FILE, take_lock
from actorline.ledger.faults import DISK_FULL, describe_fault, is_tls_fault
from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect
from actorline.messages import make_sender
from actorline.queue_names import control_queue
from actorline.settings import Settings
from actorline.upkeep.unattended import COMMAND, describe_unattended, describe_unfinished, were_seen

START_SECS: Final = 60.0  # a stack that is shutting down drains for half a minute first
STACK_LOOK_SECS: Final = 0.1
REPLY_SECS: Final = 1.0  # without a reply from a worker: there is none
NOTHING_STARTED: Final = "Nothing was started."
LAST_LOOK_SECS: Final = 2.0
PING_SECS: Final = 10.0  # a Redis that is alive responds sooner, also on a busy machine


@dataclass(frozen=True)
class AttachedStack:
    """A ledger to work with. `brought_up`: this command started the stack, which ends with it. `command`: how to reach
    its jobs again.
    """

    ledger: Ledger
    brought_up: bool
    flower: str | None = None
    gateway: str | None = None
    command: str = COMMAND


@contextmanager
def attach(
    settings: Settings,
    *,
    workers: bool,
    flower: bool = False,
    to_order: bool | None = None,
    command: str = COMMAND,
    undone: str | None = None,
) -> Iterator[AttachedStack]:
    """Use the stack on this Redis, and start what is missing (`workers`: there are jobs to run).

    `to_order`: something may be ordered, so Redis must persist it; default: where workers are needed. `undone`: what it
    means that Redis can't be used; default: that nothing was started, or nothing for a command that only reads. Workers
    that this command started have ended when the block is left, unless another command uses them by then. Raises
    Unavailable if Redis can't be reached, or could lose what is ordered.
    """
    to_order = workers if to_order is None else to_order
    undone = (NOTHING_STARTED if to_order or workers else "") if undone is None else undone
    if settings.redis_url is not None:
        ledger = open_ledger(settings, to_order=to_order, undone=undone)
        if not workers or has_workers(settings, undone=undone):
            yield AttachedStack(ledger, brought_up=False)
            return
    ours = False
    try:
        with open_home(settings, undone=undone) as users:
            state, ours = _stack(settings, users, workers=workers, flower=flower, undone=undone)
            ledger = open_ledger(settings, to_order=to_order, undone=undone)
            yield AttachedStack(
                ledger,
                brought_up=ours,
                flower=state.get("flower"),
                gateway=state.get("gateway"),
                command=command,
            )
    finally:
        if ours and workers and (unfinished := _wait_until_gone(settings, command)):
            say(unfinished)


def _wait_until_gone(settings: Settings, command: str) -> str | None:
    """Wait until the stack that this command started has stopped its processes, unless others use it by now. Return
    which jobs were unfinished when its workers had ended, as they may take a job a step further until then.
    """
    unfinished = None
    with (
        (settings.home / LOCK_FILE).open("a") as stack,
        (settings.home / USERS_FILE).open("a") as users,
        connect(settings.ledger, socket_timeout_s=LAST_LOOK_SECS, retries=0, idle_s=0) as client,
    ):
        ledger, deadline = Ledger(client, settings.namespace), time.monotonic() + START_SECS
        while time.monotonic() < deadline:
            with suppress(redis.RedisError):  # it ends after the workers
                unfinished = describe_unfinished(ledger, command=command)
            if take_lock(stack):
                return unfinished
            if take_lock(users):  # no command uses it, which it will notice
                fcntl.flock(users, fcntl.LOCK_UN)
            elif take_lock(users, fcntl.LOCK_SH):  # it isn't shutting down, so another command uses it
                return None
            time.sleep(STACK_LOOK_SECS)
    return unfinished


def open_home(settings: Settings, *, undone: str = NOTHING_STARTED) -> IO[str]:
    """Create the home if it doesn't exist, and open the file of the stack's users. Raises Unavailable."""
    with _usable_home(settings, undone):
        make_private(settings.home)
        make_private(settings.home / "logs")
        return open(settings.home / USERS_FILE, "a", opener=private_opener)


def is_new_home(settings: Settings) -> bool:
    """Return whether nothing ever ran in the home, which isn't created. Raises Unavailable if it can't be used."""
    with _usable_home(settings, undone=""):
        check_private(settings.home)
        return not (settings.home / "logs").exists()


@contextmanager
def _usable_home(settings: Settings, undone: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said = [f"The home {settings.home} can't be used: {error.strerror}.", undone]
        way_on = "Set ACTORLINE_HOME to a writable folder of your own."
        if settings.redis_url is not None:  # the workers are elsewhere, and this command looked for them
            said.insert(0, "No worker replies on this Redis, and none can be started here.")
            way_on = "Start workers; if they are just starting, or busy, try again. `actorline doctor` says who runs."
        raise _unavailable(*said, way_on) from error


def open_ledger(settings: Settings, *, to_order: bool, undone: str = NOTHING_STARTED) -> Ledger:
    """Open the ledger. Raises Unavailable if Redis doesn't respond or, with `to_order`, could lose orders."""
    ledger = Ledger(connect(settings.ledger, idle_s=0), settings.namespace, replicas=settings.durable_replicas)
    try:
        _look_once(settings.ledger, to_order=to_order)
        if to_order:
            ledger.check_server()
    except redis.RedisError as error:
        is_reached = isinstance(error, redis.ResponseError) or is_tls_fault(error)
        where = "" if is_reached else _where(settings)
        raise _unavailable(f"Redis can't be used: {describe_fault(error)}.", undone, where) from error
    return ledger


def _unavailable(*said: str) -> Unavailable:
    """Return the error that says these sentences; an empty one is left out."""
    return Unavailable(Code.REDIS_UNAVAILABLE, " ".join(filter(None, said)))


def _where(settings: Settings) -> str:
    """Return what to look at if Redis doesn't respond."""
    if settings.redis_url is None:
        return f"It is Actorline's own: if that lasts, see {settings.home}/logs/ and restart `actorline up`."
    return "Is ACTORLINE_REDIS_URL right, and is Redis running? If it is unset, Actorline starts its own."


def _look_once(url: str, *, to_order: bool) -> None:
    """Look without the retries that carry jobs over a restart of Redis: a user is waiting.

    A server whose disk is full still says what it knows; it refuses a PING, though. That is told where nothing is
    ordered.
    """
    with connect(url, socket_timeout_s=PING_SECS, retries=0, idle_s=0) as client:
        try:
            client.ping()
        except redis.ResponseError as error:
            if to_order or describe_fault(error) != DISK_FULL:
                raise
            client.time()
            say(f"Redis can only be read: {DISK_FULL}. Jobs wait until there is space, and continue by themselves.")


def _stack(
    settings: Settings, users: IO[str], *, workers: bool, flower: bool, undone: str
) -> tuple[dict[str, Any], bool]:
    """Return the state of this home's stack, and whether we started it. From then on we are among its users."""
    deadline = time.monotonic() + START_SECS
    started: subprocess.Popen[bytes] | None = None
    while time.monotonic() < deadline:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits for a stack that is shutting down
        if _is_running(settings):
            state = read_state(settings)
            if state and (state["workers"] or not workers):
                return state, started is not None
            if state:  # started without workers; it ends with its readers, so we must not hold it
                fcntl.flock(users, fcntl.LOCK_UN)
        elif started is None or started.poll() is not None:
            if started is not None and started.returncode not in {0, os.EX_TEMPFAIL}:
                break
            started = _spawn(settings, workers=workers, flower=flower)
        time.sleep(STACK_LOOK_SECS)
    why = "because its disk is full: free some space there" if is_full(settings.home) else f"see {settings.home}/logs/"
    raise _unavailable(f"The embedded stack did not start, {why}.", undone)


def _spawn(settings: Settings, *, workers: bool, flower: bool) -> "subprocess.Popen[bytes]":
    options = ([] if workers else ["--only-redis"]) + (["--flower", "--flower-port", "0"] if flower else [])
    if workers:
        say("No stack is running here: starting one until this command ends.")
    with open(settings.home / "logs" / "stack.log", "ab", opener=private_opener) as log:
        return subprocess.Popen(
            command_of("stack", *options),
            env=child_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in this terminal must not take the workers down before the job is stopped
        )


def command_of(*arguments: str) -> list[str]:
    """Return one of our processes' command. `-P`: the working directory may have its own `config` or `tasks`."""
    return [sys.executable, "-P", "-m", "workers", *arguments]


def child_environment(settings: Settings) -> dict[str, str]:
    return {**inherited_environment(), "ACTORLINE_HOME": str(settings.home)}


def _is_running(settings: Settings) -> bool:
    path = settings.home / LOCK_FILE
    if not path.exists():
        return False
    with path.open("a") as lock:
        return not take_lock(lock)


def logs_of_running(settings: Settings) -> Path | None:
    """Return the folder with the logs of the workers that run in this home; None: there are none."""
    state = _running_workers(settings)
    return settings.home / "logs" if state else None


def servers_of_running(settings: Settings) -> tuple[str | None, str | None]:
    """Return the URLs of gateway and Flower of the stack that runs in this home, as far as it has them."""
    state = (read_state(settings) if _is_running(settings) else None) or {}
    return state.get("gateway"), state.get("flower")


def _running_workers(settings: Settings) -> dict[str, Any] | None:
    """Return the state of the stack that runs in this home with workers; None: there is none."""
    state = read_state(settings) if _is_running(settings) else None
    return state if state and state["workers"] else None


def unattended_jobs(settings: Settings, ledger: Ledger) -> str | None:
    """Return which live jobs have no worker, in words; None: there are none, or workers are running."""
    logs = logs_of_running(settings)
    return describe_unattended(ledger, logs=logs, has_workers=settings.redis_url is not None or logs is not None)


def check_running(settings: Settings, refusal: str) -> None:
    """Raise Refused where no workers will run what is ordered: a home's stack that a command has brought up ends with
    it, and one of this command's own would first start, and pay for, what others have ordered.
    """
    state = _running_workers(settings)
    if state and state.get("stays", True):  # a stack of an earlier version doesn't say
        return
    if settings.redis_url is None or not (has_workers(settings) or were_seen(open_ledger(settings, to_order=False))):
        raise Refused(Code.REDIS_UNAVAILABLE, refusal)


def read_state(settings: Settings) -> dict[str, Any] | None:
    """Return the state that this home's running stack has written; None: none is running."""
    try:
        state: dict[str, Any] = json.loads((settings.home / STATE_FILE).read_text())
    except (OSError, ValueError):
        return None
    return state


class _Served(Exception):
    """A worker has replied that it serves our control queue: no other reply is waited for."""


def has_workers(settings: Settings, *, undone: str = NOTHING_STARTED) -> bool:
    """Return whether a worker serves our control queue on this Redis. Raises Unavailable if the broker is down."""
    from kombu.exceptions import OperationalError

    queue = control_queue(settings.namespace)

    def read(reply: Mapping[str, Any]) -> None:
        if any(each["name"] == queue for queues in reply.values() for each in queues):
            raise _Served

    sender = make_sender(settings)
    try:
        sender.control.broadcast("active_queues", reply=True, timeout=REPLY_SECS, callback=read)
    except _Served:
        return True
    except (redis.RedisError, OperationalError) as error:
        raise _unavailable(f"The broker can't be used: {describe_fault(error)}.", undone) from error
    finally:
        sender.close()
    return False

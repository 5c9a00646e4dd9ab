"""`python -m actorline.emulator`: the emulator as a process.

On start it prints one line of JSON, `{"url", "pid"}`, a person at a terminal is told how to use it, and from then on
there are only warnings; all but the line goes to standard error. SIGTERM and
SIGINT end it at once, with exit code 0.
"""

import os
import signal


def _end(*_: object) -> None:
    """End the process without a goodbye: nothing is kept, and requests that wait would hold it up for a minute."""
    os._exit(0)


STOPS = (signal.SIGTERM, signal.SIGINT)
if __name__ == "__main__":  # before anything is imported that takes its time
    for number in STOPS:
        signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)  # the command line holds them back until here

import argparse
import codecs
import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
import uvicorn
from pydantic import ValidationError

from actorline.emulator.app import make_app
from actorline.emulator.clock import set_ahead
from actorline.emulator.connection import OpenH11Protocol
from actorline.emulator.profile import Profile, mistakes

DEFAULT_PORT: Final = 8480

_USAGE_ERROR: Final = 2


class EmulatorServer(uvicorn.Server):
    """uvicorn's server that leaves the signals to us: its own handling waits for open requests."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _read_profile(file: Path) -> Profile:
    """Read a profile, with or without a byte order mark. Raises OSError and ValidationError."""
    return Profile.model_validate_json(file.read_bytes().removeprefix(codecs.BOM_UTF8))


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        profile = _read_profile(options.profile) if options.profile else Profile()
    except OSError as error:
        return _refuse(f"{options.profile} can't be read: {error.strerror}.")
    except ValidationError as error:
        return _refuse(f"{options.profile} has mistakes: {mistakes(error)}")
    try:
        listener = open_listener(options.host, options.port)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error  # strerror names the address a second time
        return _refuse(f"{options.host}:{options.port} can't be listened on: {why}. Choose another port: --port PORT.")
    set_ahead(options.clock_ahead)
    for number in STOPS:
        signal.signal(number, _end)
    if options.exit_with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    url = _announce(listener, options.ready_file)
    if sys.stdout.isatty():
        sys.stderr.write(_how_to_use(url, profile))
    config = uvicorn.Config(
        make_app(profile),
        http=OpenH11Protocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,  # it would be the machine's time
    )
    EmulatorServer(config).run([listener])
    return 0


def _refuse(reason: str) -> int:
    sys.stderr.write(f"The emulator was not started: {reason}\n")
    return _USAGE_ERROR


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens already, so that whoever reads the address can connect."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    # Connections inherit it. asyncio sets it only where a socket names its protocol, and without it a small response,
    # sent as head and body, waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _announce(listener: socket.socket, ready_file: Path | None) -> str:
    """Say the address, and serve it."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    line = orjson.dumps({"url": url, "pid": os.getpid()}).decode()
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    if ready_file:
        unfinished = ready_file.with_name(f"{ready_file.name}.{os.getpid()}")
        unfinished.write_text(line + "\n")
        unfinished.rename(ready_file)
    return url


def _how_to_use(url: str, profile: Profile) -> str:
    actors = [f"{actor.username}/{actor.name}" for actor in profile.actors]
    return (
        "A local Apify API; Ctrl-C ends it. In another shell:\n"
        f"  export ACTORLINE_API_URL={url} APIFY_TOKEN={next(iter(profile.accounts), 'none')}\n"
        f"  actorline run {next(iter(actors), 'ACTOR')}\n"
        f"Actors: {', '.join(actors) or 'none'}. Others: --profile FILE (docs/emulator.md).\n"
    )


def _end_with_stdin() -> None:
    """Wait for the parent's end: it closes our standard input, however it dies."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    _end()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m actorline.emulator", description="A local Apify API v2.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0: any free one (default: %(default)s)")
    parser.add_argument("--profile", type=Path, help="JSON file: accounts, Actors, Actor tasks and their scripts")
    parser.add_argument("--clock-ahead", type=float, default=0, metavar="SECS", help="its clock is wrong by so much")
    parser.add_argument("--ready-file", type=Path, help="file that gets the line with the address")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input is closed")
    return parser


if __name__ == "__main__":
    sys.exit(main())

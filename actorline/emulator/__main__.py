"""`python -m actorline.emulator`: the emulator as a process.

On start it prints one line of JSON, `{"url", "pid"}`, and from then on only warnings, to standard error. SIGTERM and
SIGINT end it at once, with exit code 0.
"""

import argparse
import asyncio
import contextlib
import os
import signal
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
from actorline.emulator.connection import OpenH11Protocol
from actorline.emulator.profile import Profile

DEFAULT_PORT: Final = 8480

_USAGE_ERROR: Final = 2


class EmulatorServer(uvicorn.Server):
    """uvicorn's server that leaves the signals to us: its own handling waits for open connections."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.should_exit = True
        self.force_exit = True


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        profile = Profile.model_validate_json(options.profile.read_bytes()) if options.profile else Profile()
        listener = _listener(options.host, options.port)
    except (OSError, ValidationError) as error:
        sys.stderr.write(f"The emulator was not started: {error}\n")
        return _USAGE_ERROR
    asyncio.run(_serve(profile, listener, options.ready_file, exit_with_stdin=options.exit_with_stdin))
    return 0


async def _serve(profile: Profile, listener: socket.socket, ready_file: Path | None, *, exit_with_stdin: bool) -> None:
    config = uvicorn.Config(
        make_app(profile), http=OpenH11Protocol, ws="none", lifespan="off", log_level="warning", proxy_headers=False,
        access_log=False, server_header=False,
    )  # fmt: skip
    server = EmulatorServer(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    if exit_with_stdin:
        threading.Thread(target=_stop_at_end_of_stdin, args=(loop, server), daemon=True).start()
    _announce(listener, ready_file)
    await server.serve([listener])


def _listener(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that whoever reads the address can connect."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _announce(listener: socket.socket, ready_file: Path | None) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    line = orjson.dumps({"url": f"http://{shown}:{port}", "pid": os.getpid()}).decode()
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    if ready_file:
        unfinished = ready_file.with_name(f"{ready_file.name}.{os.getpid()}")
        unfinished.write_text(line + "\n")
        unfinished.rename(ready_file)


def _stop_at_end_of_stdin(loop: asyncio.AbstractEventLoop, server: EmulatorServer) -> None:
    """A parent that dies closes our standard input, however it dies."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    loop.call_soon_threadsafe(server.stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m actorline.emulator", description="A local Apify API v2.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0: any free one (default: %(default)s)")
    parser.add_argument("--profile", type=Path, help="JSON file: accounts, Actors, Actor tasks and their scripts")
    parser.add_argument("--ready-file", type=Path, help="file that gets the line with the address")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input is closed")
    return parser


if __name__ == "__main__":
    sys.exit(main())

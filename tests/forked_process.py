"""Start the project's own programs without importing it anew each time, which takes most of a short command's time.

A process that has imported everything forks for each program. What it forks is a process like any other: it has a
process id, an environment, a working directory and files of its own, takes signals, and ends as an interpreter ends.
"""

import atexit
import gc
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final

REQUEST_BYTES_MAX: Final = 160_000
LOOK_AGAIN_SECS: Final = 0.01
READ_AT_START: Final = ("PYTHON", "LC_", "LANG", "LD_")  # by the interpreter itself: too late after a fork
CELERY: Final = ("celery.app.trace", "celery.bin.worker", "celery.worker.worker", "kombu.transport.redis")


class ForkedProcess:
    """As much of `subprocess.Popen` as tests use."""

    def __init__(self, server: "ForkServer", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._server.ask(ended=self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            time.sleep(LOOK_AGAIN_SECS)
        return self.returncode or 0

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = subprocess.Popen[bytes] | ForkedProcess


class ForkServer:
    """Has everything imported, and ends with the process that asks it."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-P", __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdout=subprocess.DEVNULL)

    def start(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], files: Sequence[IO[Any]]
    ) -> ForkedProcess:
        """`files`: the process's standard input, output and error."""
        numbers = [file.fileno() for file in files]
        return ForkedProcess(self, self.ask(numbers, command=command, cwd=str(cwd), env=dict(env)))

    def ask(self, files: Sequence[int] = (), **request: Any) -> Any:
        with self._one_at_a_time:
            socket.send_fds(self._connection, [json.dumps(request).encode()], files)
            return json.loads(self._connection.recv(REQUEST_BYTES_MAX))

    def end(self) -> None:
        self._connection.close()
        self._process.wait()


@cache
def fork_server() -> ForkServer:
    server = ForkServer()
    atexit.register(server.end)
    return server


def can_be_forked(env: Mapping[str, str]) -> bool:
    """Is the environment, as far as the interpreter reads it when it starts, that of the tests?"""
    names = {name for name in (*env, *os.environ) if name.startswith(READ_AT_START)}
    return all(env.get(name) == os.environ.get(name) for name in names)


def start_program(
    *command: str,
    cwd: Path,
    env: Mapping[str, str],
    out: IO[Any],
    err: IO[Any],
    stdin: IO[Any] | None = None,
    forked: bool = True,
) -> Process:
    """Run a script, by its path, or a module, as `python -m` does. Forked, it has the server's command line."""
    with Path(os.devnull).open("rb") as nothing:
        files = (stdin or nothing, out, err)
        if forked and can_be_forked(env):
            return fork_server().start(command, cwd=cwd, env=env, files=files)
        named = () if os.sep in command[0] else ("-m",)
        whole = [sys.executable, "-P", "-W", "ignore", *named, *command]
        return subprocess.Popen(whole, cwd=cwd, env=env, stdin=files[0], stdout=out, stderr=err)


def serve(connection: socket.socket) -> dict[str, Any] | None:
    """Answer until nobody asks any more; in a forked process, return what it is to run."""
    while True:
        text, files, *_ = socket.recv_fds(connection, REQUEST_BYTES_MAX, 3)
        if not text:
            return None
        request = json.loads(text)
        if "ended" in request:
            pid, status = os.waitpid(request["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif not (answer := os.fork()):
            connection.close()
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            return request
        for file in files:
            os.close(file)
        connection.send(json.dumps(answer).encode())


def import_everything() -> None:
    """Import the modules that programs share; their own (`workers`, `tasks`, `config`) read the environment."""
    import actorline

    for module in pkgutil.walk_packages(actorline.__path__, "actorline."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in CELERY:
        import_module(name)


def run(request: dict[str, Any]) -> None:
    """Become the program."""
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    time.tzset()
    atexit.register(gc.freeze)  # an end takes half a second less
    program, *sys.argv[1:] = request["command"]
    if os.sep in program:
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    import_everything()
    gc.freeze()  # what all have in common is copied for nobody's collection
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    if asked:
        run(asked)

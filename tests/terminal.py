"""The command line as a person has it: a home, a working directory, a clean environment, and real processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest
from forked_process import Process, start_program
from real_parts import ROOT, TOKEN, Emulator, Line, wait_for
from redis_server import server_binary

ACTORLINE = Path(sys.executable).with_name("actorline")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object that standard output holds, and nothing else."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Running:
    """A command that was started; its output lies in files, so that no pipe can fill."""

    process: Process
    out_file: Path
    err_file: Path

    @property
    def err(self) -> str:
        return self.err_file.read_text()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, within: float = 120) -> Done:
        """Wait until it ends by itself."""
        return Done(self.process.wait(within), self.out_file.read_text(), self.err)


def finished(*command: str, cwd: Path, env: Mapping[str, str], within: float = 120) -> Done:
    """Run a program to its end."""
    with TemporaryFile() as out, TemporaryFile() as err:
        code = start_program(*command, cwd=cwd, env=env, out=out, err=err).wait(within)
        out.seek(0)
        err.seek(0)
        return Done(code, out.read().decode(), err.read().decode())


def actorline(line: Line, *arguments: str, **environment: str) -> Done:
    """Run a command with the settings of a line."""
    return finished(str(ACTORLINE), *arguments, cwd=line.home, env={**line.environment, **environment})


class Terminal:
    """`actorline ...` in a folder of its own, against the emulator; `processes()` are those that work for its home."""

    def __init__(self, folder: Path, emulator: Emulator, **settings: str) -> None:
        self.folder = folder
        self.home = folder / "h"
        self.cwd = folder / "cwd"
        self.cwd.mkdir(parents=True)
        self.emulator = emulator
        foreign = ("ACTORLINE_", "APIFY_", "FLOWER_", "CELERY_", "PYTHONPATH")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
            "APIFY_TOKEN": TOKEN,
            "ACTORLINE_API_URL": emulator.url,
            "ACTORLINE_HOME": str(self.home),
            "ACTORLINE_DATASET_LAG_SECS": "0.5",
            "ACTORLINE_VISIBILITY_TIMEOUT_SECS": "5",
            **settings,
        }
        self._started: list[Running] = []

    def start(self, *arguments: str, **environment: str | None) -> Running:
        """Start a command; a variable that is None is unset."""
        number = len(self._started)
        out, err = self.folder / f"{number}.out", self.folder / f"{number}.err"
        merged = {**self.environment, **environment}
        env = {name: value for name, value in merged.items() if value is not None}
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = start_program(str(ACTORLINE), *arguments, cwd=self.cwd, env=env, out=out_file, err=err_file)
        self._started.append(Running(process, out, err))
        return self._started[-1]

    def __call__(self, *arguments: str, within: float = 120, **environment: str | None) -> Done:
        return self.start(*arguments, **environment).end(within)

    def document(self, **fields: Any) -> str:
        """A file with a job document, polled as often as possible; returns its path."""
        path = self.cwd / f"order-{fields.get('key', 'any')}.json"
        path.write_text(json.dumps({"poll_interval_secs": 1, **fields}))
        return str(path)

    def run(self, *options: str, **fields: Any) -> Running:
        """`actorline run --document ...` with these fields."""
        return self.start("run", "--document", self.document(**fields), *options)

    def processes(self) -> dict[int, str]:
        """Process id -> command of all processes that hold this home in their command line or environment."""
        listed = subprocess.run(["ps", "axeww", "-o", "pid=,command="], capture_output=True, check=True).stdout
        rows = [line.split(maxsplit=1) for line in listed.decode(errors="replace").splitlines()]
        return {int(row[0]): row[1] for row in rows if len(row) == 2 and str(self.home) in row[1]}

    def child(self, name: str) -> int:
        """Process id of a process of the stack: `valkey-server`, `worker fetch`, `workers stack`, ..."""
        (pid,) = [pid for pid, command in self.processes().items() if name in command.partition("ACTORLINE_")[0]]
        return pid

    def wait_until_empty(self, within: float = 120) -> None:
        try:
            wait_for(lambda: not self.processes(), within=within, what=f"no process left in {self.home}")
        except pytest.fail.Exception:
            left = {pid: command.partition("ACTORLINE_")[0] for pid, command in self.processes().items()}
            logs = {log.name: log.read_text()[-2_000:] for log in (self.home / "logs").glob("*.log")}
            pytest.fail(f"processes are left: {left}; logs: {logs}")

    def kill_everything(self) -> None:
        for running in self._started:
            running.process.kill()
            running.process.wait()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


@contextmanager
def running_valkey(folder: Path, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A Valkey of the test's own on the socket `folder/s`, with data in the folder."""
    command = [server_binary(), ROOT / "config" / "valkey.conf", "--dir", folder, "--unixsocket", folder / "s"]
    process = subprocess.Popen(
        [*command, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        restore_signals=False,  # SIGXFSZ stays ignored: a file that may not grow is an error, as on a full disk
    )
    try:
        wait_for((folder / "s").exists, what="Valkey's socket")
        yield process
    finally:
        process.kill()
        process.wait()
        (folder / "s").unlink(missing_ok=True)

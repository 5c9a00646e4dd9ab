"""What the benchmarks stand on: the emulator, the embedded stack as `actorline up` has it, and Linux's accounting."""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, BinaryIO, Final

from actorline.client import Client
from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect
from actorline.redis_connection.address import next_database

TOKEN: Final = "apify_api_emulator"
START_SECS: Final = 60
LOOK_SECS: Final = 0.02
_TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Stand:
    """`line`: pids of Valkey and the two workers by name. `home`: a folder that goes away at the end."""

    emulator: str
    emulator_pid: int
    line: Mapping[str, int]
    client: Client
    ledger: Ledger
    home: Path
    other_databases: tuple[str, str]
    """Two addresses on the same Valkey that nobody uses."""

    def actor(self, name: str, **script: Any) -> str:
        """Define the Actor `demo/{name}` and return its name."""
        self._send("PUT", f"actors/demo~{name}", {"script": script})
        return f"demo/{name}"

    def fault(self, **fault: Any) -> None:
        """Let the emulator behave as the platform does on bad days, or at the end of a long wire."""
        self._send("POST", "faults", [fault])

    def _send(self, method: str, path: str, content: Any) -> None:
        body, headers = json.dumps(content).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.emulator}/emulator/{path}", body, headers, method=method)
        with urllib.request.urlopen(request):
            pass


@contextmanager
def standing(*kinds: str, **settings: str) -> Iterator[Stand]:
    """Emulator and stack with default settings but for those given; taken down at the end.

    `kinds`: its workers; the default is `actorline up`'s, a control and a fetch worker.
    """
    with tempfile.TemporaryDirectory(prefix="al-") as folder, _emulator() as (url, emulator_pid):
        home = Path(folder)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ACTORLINE_", "APIFY_"))},
            "APIFY_TOKEN": TOKEN,
            "ACTORLINE_API_URL": url,
            "ACTORLINE_HOME": folder,
            **{f"ACTORLINE_{name.upper()}": value for name, value in settings.items()},
        }
        users, log = (home / "stack.users").open("w"), (home / "stack.log").open("wb")
        fcntl.flock(users, fcntl.LOCK_SH)  # the stack goes down when we do, however we die
        stack = subprocess.Popen(
            [sys.executable, "-P", "-m", "workers", "stack", *(["--only-redis"] if kinds else [])],
            cwd=home,
            env=environment,
            stderr=log,
        )
        try:
            addresses = _addresses(home / "stack.json", stack)
            ledger_address = next_database(addresses["results"])
            ledger = Ledger(connect(ledger_address), "actorline")
            fourth = next_database(ledger_address)
            own = {**environment, "ACTORLINE_REDIS_URL": addresses["broker"]}
            with Client(addresses["broker"], addresses["results"]) as client, _workers(kinds, own, log) as workers:
                line = {**_children(stack.pid), **workers}
                stand = Stand(url, emulator_pid, line, client, ledger, home, (fourth, next_database(fourth)))
                warm_up = {"actor": stand.actor("warm-up", items=1, duration_secs=0), "poll_interval_secs": 1}
                client.wait(client.submit(warm_up), START_SECS)
                yield stand
        finally:
            stack.terminate()
            stack.wait()
            users.close()
            log.close()


@contextmanager
def _workers(kinds: Sequence[str], environment: Mapping[str, str], log: BinaryIO) -> Iterator[dict[str, int]]:
    """Run workers and yield their pids."""
    started = [
        subprocess.Popen([sys.executable, "-P", "-m", "workers", "worker", kind], env=environment, stderr=log)
        for kind in kinds
    ]
    try:
        yield {f"{kind} {number}": worker.pid for number, (kind, worker) in enumerate(zip(kinds, started, strict=True))}
    finally:
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.wait()


@contextmanager
def _emulator() -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-P", "-m", "actorline.emulator", "--port", "0", "--exit-with-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())["url"], process.pid
        process.terminate()


def _addresses(state: Path, stack: "subprocess.Popen[bytes]") -> dict[str, Any]:
    deadline = time.monotonic() + START_SECS
    while not state.exists():
        if stack.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("The stack did not start.")
        time.sleep(LOOK_SECS)
    addresses: dict[str, Any] = json.loads(state.read_text())
    return addresses


def _children(pid: int) -> dict[str, int]:
    pids = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return {_kind(pid): pid for pid in pids}


def _kind(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return next((kind for kind in ("control", "fetch") if kind in words), "valkey")


# -- accounting


class Meter:
    """CPU seconds and peak memory of processes from its making on."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        for pid in pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak starts anew from what is held now
        self._before = self._cpu_secs()

    def cpu_secs(self) -> float:
        return self._cpu_secs() - self._before

    def peak_mbytes(self) -> float:
        """Return the sum of each process's own peak of resident memory."""
        return sum(map(peak_mbytes, self._pids))

    def _cpu_secs(self) -> float:
        return sum(map(cpu_secs, self._pids))


def cpu_secs(pid: int) -> float:
    """User and system time of all threads; known until the process is reaped."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def peak_mbytes(pid: int) -> float:
    """Return the most that was resident; 0 once the process has ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0


@dataclass(frozen=True)
class Finished:
    secs: float
    cpu_secs: float
    peak_mbytes: float


def run(command: Sequence[str]) -> Finished:
    """Run a command to its end. Its peak is looked up while it lives: the kernel's `ru_maxrss` counts ours as well."""
    began, peak = time.monotonic(), 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            peak = max(peak, peak_mbytes(process.pid))
            time.sleep(LOOK_SECS)
        finished = Finished(time.monotonic() - began, cpu_secs(process.pid), peak)
    if process.returncode:
        message = f"{command[0]} ended with {process.returncode}"
        raise SystemExit(message)
    return finished


def spread(values: Iterable[float], digits: int = 0) -> str:
    """Return the median, with least and most in brackets."""
    found = list(values)
    return f"{median(found):,.{digits}f} ({min(found):,.{digits}f} to {max(found):,.{digits}f})"

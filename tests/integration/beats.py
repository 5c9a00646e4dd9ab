"""Beats as processes of their own, and what they have made."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from real_parts import Line

BEAT = [sys.executable, "-P", "-W", "ignore", "-m", "workers", "beat"]


class Beats:
    """Beats side by side on one line; `log` is that of all of them."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._logs: list[Path] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> "subprocess.Popen[bytes]":
        self._logs.append(self._line.home / f"beat-{len(self._logs)}.log")
        with self._logs[-1].open("wb") as file:
            beat = subprocess.Popen(BEAT, cwd=self._line.home, env=self._line.environment, stdout=file, stderr=file)
        self.processes.append(beat)
        return beat

    def kill(self, beat: "subprocess.Popen[bytes]") -> None:
        self.processes.remove(beat)
        beat.kill()
        beat.wait()

    @property
    def log(self) -> str:
        return "".join(log.read_text() for log in self._logs)


@contextmanager
def running_beats(line: Line, count: int) -> Iterator[Beats]:
    """So many beats side by side. They end at once when asked to."""
    beats = Beats(line)
    for _ in range(count):
        beats.start()
    try:
        yield beats
        assert [beat.poll() for beat in beats.processes] == [None] * len(beats.processes)
    finally:
        for beat in beats.processes:
            beat.terminate()
        codes = [beat.wait(60) for beat in beats.processes]
        assert not any(codes), (codes, beats.log[-3000:])


def orders(line: Line, schedule: str) -> dict[str, str]:
    """Key -> state of the jobs that a schedule has made, the earliest due time first."""
    prefix = f"{line.namespace}:job:"
    names = line.ledger.redis.scan_iter(f"{prefix}{schedule}@*")
    keys = sorted(name.removeprefix(prefix) for name in names)
    return {key: line.state(key) for key in keys}


def due_of(key: str) -> datetime:
    return datetime.fromisoformat(key.partition("@")[2])

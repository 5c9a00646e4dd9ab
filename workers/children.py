"""The processes of a stack: started, started again with back-off when they die, and stopped in order."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from actorline.exit_codes import UNAVAILABLE, USAGE
from workers.log_files import last_line, open_log, set_aside_long_logs
from workers.parent_death import die_with_parent

DRAIN_SECS: Final = 25.0
BACK_OFF_MAX_SECS: Final = 30.0
TOLD_WHY: Final = (USAGE, UNAVAILABLE)  # codes of a process that wrote last why it ends
STEADY_SECS: Final = 30.0  # a process that ran this long is healthy: its next death counts as the first


@dataclass
class Child:
    """One process of the stack."""

    name: str
    command: Sequence[str]
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0
    deaths: int = 0
    start_again_at: float = 0

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass
class Children:
    """`home`: where they run, and where their logs are; `environment`: returns that of the next one to be started."""

    home: Path
    say: Callable[[str], None]
    environment: Callable[[], dict[str, str]]
    _children: list[Child] = field(default_factory=list)

    def __iter__(self) -> Iterator[Child]:
        return iter(self._children)

    def start(self, name: str, command: Sequence[str]) -> None:
        child = Child(name, command)
        self._children.append(child)
        self._run(child)

    def is_running(self, name: str) -> bool:
        return any(child.is_running for child in self._children if child.name == name)

    def look_after(self) -> None:
        """Start again what has died, the later the more often it has."""
        set_aside_long_logs(self.home / "logs")
        for child in self._children:
            if child.process is None:
                if time.monotonic() >= child.start_again_at:
                    self.say(f"{child.name}: restarted")
                    self._run(child)
            elif (code := child.process.poll()) is not None:
                child.deaths = 1 if time.monotonic() - child.started_at > STEADY_SECS else child.deaths + 1
                wait = min(2.0 ** (child.deaths - 1) * 0.5, BACK_OFF_MAX_SECS)
                child.process, child.start_again_at = None, time.monotonic() + wait
                why = f": {last_line(self.home / 'logs', child.name)}" if code in TOLD_WHY else ""
                self.say(f"{child.name}: died (exit {code}){why}; restarting in {wait:g} s; see logs/{child.name}.log")

    def stop_all(self, *, but: str = "") -> None:
        """Stop all at once, except one that the others need until they have ended."""
        running = [child.process for child in self._children if child.process and child.name != but]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + DRAIN_SECS
        for process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _run(self, child: Child) -> None:
        with open_log(self.home / "logs", child.name) as log:
            child.process = subprocess.Popen(
                child.command,
                cwd=self.home,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # only the supervisor gets Ctrl-C; it drains the others in order
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - before any of our threads exists
            )
        child.started_at = time.monotonic()

"""Random blows: workers are killed and frozen, Valkey is killed; what dies is started again, as the stack does it."""

import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from mortal_valkey import MortalValkey
from real_parts import Line, start_worker

WORKERS: Final = 3
CALM_SECS: Final = (2.0, 7.0)  # between two blows
FREEZE_SECS: Final = (3.0, 40.0)  # shorter and longer than every lease
START_AGAIN_SECS: Final = 1.0
KINDS: Final = {"worker killed": 5, "worker frozen": 4, "Valkey killed": 1}


@dataclass
class Slot:
    """A place for a worker: the process, and when it is to be woken or replaced."""

    process: "subprocess.Popen[bytes]"
    frozen_until: float | None = None
    start_at: float | None = None


@dataclass
class Weather:
    """Blows fall from `begin` to `calm`, one after the other; each is noted with its time. `calm_secs`: between two
    blows; `kinds`: how often each of them falls.
    """

    line: Line
    valkey: MortalValkey
    rng: Random
    calm_secs: tuple[float, float] = CALM_SECS
    kinds: Mapping[str, int] = field(default_factory=lambda: KINDS)
    blows: list[tuple[float, str]] = field(default_factory=list)
    deaths: int = 0
    """Of workers that no blow fell on: kombu may die of a lost broker."""

    def __post_init__(self) -> None:
        self._slots = [Slot(start_worker("all", self.line)) for _ in range(WORKERS)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._blow, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def calm(self) -> None:
        """No more blows; every worker lives and is awake."""
        self._over.set()
        self._thread.join()
        for slot in self._slots:
            self._wake(slot)
        self._look_after_workers(now=float("inf"))

    def end(self) -> None:
        self._over.set()
        for slot in self._slots:
            slot.process.send_signal(signal.SIGCONT)
            slot.process.terminate()
        for slot in self._slots:
            slot.process.wait(30)

    def count(self, kind: str) -> int:
        return sum(what == kind for _, what in self.blows)

    def _blow(self) -> None:
        next_at = time.monotonic() + self.rng.uniform(*self.calm_secs)
        while not self._over.wait(0.1):
            self._look_after_workers(time.monotonic())
            if time.monotonic() >= next_at:
                next_at = time.monotonic() + self.rng.uniform(*self.calm_secs)
                self._strike(self.rng.choices([*self.kinds], [*self.kinds.values()])[0])

    def _strike(self, kind: str) -> None:
        awake = [slot for slot in self._slots if slot.start_at is None and slot.frozen_until is None]
        if kind == "Valkey killed":
            self.valkey.kill()
            self.blows.append((time.time(), kind))
            self.valkey.start()
        elif len(awake) > 1:  # one is left, as on a second machine
            slot = self.rng.choice(awake)
            if kind == "worker killed":
                slot.process.kill()
                slot.start_at = time.monotonic() + START_AGAIN_SECS
            else:
                slot.process.send_signal(signal.SIGSTOP)
                slot.frozen_until = time.monotonic() + self.rng.uniform(*FREEZE_SECS)
            self.blows.append((time.time(), kind))

    def _look_after_workers(self, now: float) -> None:
        for slot in self._slots:
            if slot.frozen_until is not None and now >= slot.frozen_until:
                self._wake(slot)
            if slot.process.poll() is not None and slot.start_at is None:
                self.deaths += 1
                slot.start_at = time.monotonic() + START_AGAIN_SECS
            if slot.start_at is not None and now >= slot.start_at:
                slot.process.wait()
                slot.process, slot.start_at = start_worker("all", self.line), None

    @staticmethod
    def _wake(slot: Slot) -> None:
        slot.process.send_signal(signal.SIGCONT)
        slot.frozen_until = None

"""The same faults of a start for several ways to run an Actor: what is paid, what arrives, what bills after a cancel.

`make compare` prints the table that docs/promises.md holds. Not part of any suite: it asserts of Actorline only. Every
way has its default settings. JOBS says how many jobs a cell has.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from real_parts import Emulator, make_line, running_workers, wait_for
from ways import Batch, Way, WithActorline, WithOfficialClient, running_chain

from actorline.platform.statuses import TERMINAL_STATUSES

JOBS: Final = int(os.environ.get("JOBS") or 5)
ITEMS: Final = 100
CANCEL_AFTER_SECS: Final = 20
LOOK_AFTER_SECS: Final = 150  # after the cancel: time enough for whatever a way does about it
SLOW_SECS: Final = 75  # Actorline waits 60 s for a start's reply, the others 30 s, `call()` without end
HOLD_SECS: Final = 20
KILLED: Final = "sender killed (SIGKILL) after sending"
FAULTS: Final[Mapping[str, dict[str, Any]]] = {
    "none": {},
    "reply lost: reset after the run is made": {"action": "reset_after"},
    "reset after sending, no run is made": {"action": "reset_before"},
    "reply cut: 201 and 40 bytes": {"action": "cut_body", "after_bytes": 40},
    "500, the run is made": {"action": "status_after", "status": 500},
    "502 of a proxy (HTML), no run is made": {"action": "status", "status": 502, "html": "<html>Bad gateway</html>"},
    f"reply after {SLOW_SECS} s, the run is made": {"action": "delay", "secs": SLOW_SECS},
    KILLED: {"action": "delay", "secs": HOLD_SECS},
}
DEFAULTS: Final = {
    "visibility_timeout_secs": "15",
    "dataset_lag_secs": "10",
    "start_settle_secs": "120",
    "send_by_secs": "10",
}


class Outcome(NamedTuple):
    """Runs of the jobs that were waited for, how many of these got all rows, and runs of the cancelled that go on."""

    paid: int
    whole: int
    billing: int

    def __str__(self) -> str:
        return f"{self.paid / JOBS:g}; {self.whole} of {JOBS}; {self.billing}"


@pytest.fixture
def ways(valkey: str, emulator: Emulator, tmp_path: Path) -> Iterator[list[Way]]:
    line = make_line(valkey, emulator, tmp_path / "line", "compared", **DEFAULTS)
    with (
        running_workers(line, "control", "fetch") as workers,
        running_chain(valkey, emulator, tmp_path / "log") as plain,
    ):
        clients = [WithOfficialClient(emulator, form) for form in ("call", "start")]
        yield [WithActorline(line, workers), *clients, plain]
    line.client.close()


@pytest.mark.timeout(1800)
def test_comparison(ways: list[Way], emulator: Emulator) -> None:
    found: dict[tuple[str, str], Outcome] = {}
    at_once = [(way, fault) for fault in FAULTS for way in ways if fault != KILLED]
    for cells in (at_once, [(way, KILLED) for way in ways]):  # a killed worker takes all of its jobs along
        with ThreadPoolExecutor(len(cells)) as threads:
            outcomes = list(threads.map(lambda cell: outcome(emulator, *cell), cells))
        found |= {(way.name, fault): came for (way, fault), came in zip(cells, outcomes, strict=True)}
    names = [way.name for way in ways]
    sys.stdout.write(
        f"\n| fault of each job's first start | {' | '.join(names)} |\n" + "|---" * (len(ways) + 1) + "|\n"
    )
    for fault in FAULTS:
        sys.stdout.write(f"| {fault} | {' | '.join(str(found[name, fault]) for name in names)} |\n")
    assert {fault: found["Actorline", fault] for fault in FAULTS} == dict.fromkeys(FAULTS, Outcome(JOBS, JOBS, 0))


def outcome(emulator: Emulator, way: Way, fault: str) -> Outcome:
    """Jobs that are waited for and as many that are cancelled, side by side unless a kill would meet both."""
    with ThreadPoolExecutor(1 if fault == KILLED else 2) as threads:
        waited = threads.submit(wait, emulator, way, fault)
        cancelled = threads.submit(cancel, emulator, way, fault)
        return Outcome(*waited.result(), cancelled.result())


def wait(emulator: Emulator, way: Way, fault: str) -> tuple[int, int]:
    actors = make_actors(emulator, f"{way.name} {fault} waits", fault, duration_secs=3)
    rows = order(emulator, way, fault, actors).rows()
    return sum(len(emulator.runs_of(actor)) for actor in actors), rows.count(ITEMS)


def cancel(emulator: Emulator, way: Way, fault: str) -> int:
    actors = make_actors(emulator, f"{way.name} {fault} cancels", fault, duration_secs=3_600)
    batch = order(emulator, way, fault, actors)
    time.sleep(CANCEL_AFTER_SECS)
    batch.cancel()
    time.sleep(LOOK_AFTER_SECS)
    runs = [run for actor in actors for run in emulator.runs_of(actor)]
    return sum(run["status"] not in TERMINAL_STATUSES for run in runs)


def order(emulator: Emulator, way: Way, fault: str, actors: Sequence[str]) -> Batch:
    batch = way.order(actors)
    if fault == KILLED:
        wait_for(lambda: all(map(emulator.runs_of, actors)), within=HOLD_SECS, what="a run of each")
        batch.kill()
    return batch


def make_actors(emulator: Emulator, title: str, fault: str, duration_secs: float) -> list[str]:
    """Actors of a batch's own; the first start of each meets the fault."""
    stem = "-".join(filter(None, "".join(char if char.isalnum() else " " for char in title.lower()).split()))
    actors = [emulator.actor(f"{stem}-{number}", items=ITEMS, duration_secs=duration_secs) for number in range(JOBS)]
    if FAULTS[fault]:
        paths = [f"/actors/{actor.replace('/', '~')}/runs$" for actor in actors]
        emulator.faults(*({"method": "POST", "path_regex": path, "nth": 1, **FAULTS[fault]} for path in paths))
    return actors

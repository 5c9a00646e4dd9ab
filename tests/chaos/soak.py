"""`make soak HOURS=2`: 20 jobs a minute with the storm's faults, for as long as asked; no process may grow.

Not collected with the other tests. Workers beside the measured ones are killed and frozen. Linux.
"""

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import pytest
from gateway_process import running_gateway
from mortal_valkey import mortal_valkey
from orders import Faults, judge, make_order
from real_parts import Line, make_line, running_workers, wait_for
from storm import Storm, answer_of
from weather import Weather

JOBS_A_MINUTE: Final = 20
SETTLED_SECS: Final = 1_800.0  # or a quarter of the time, if that is less: what a process loads once is loaded then
BLOWS: Final = {"worker killed": 1, "worker frozen": 1}
CALM_SECS: Final = (20.0, 60.0)
GROWTH: Final = {"memory": 1.1, "threads": 1.1, "files": 1.1}
SLACK: Final = {"memory": 8.0, "threads": 1.0, "files": 8.0}
"""Megabytes, and numbers: downloads and their files that are under way just then."""
WARM_UP_JOBS: Final = 100
"""At once, before anything is measured: a pool starts its threads, each with its connections, as they are needed."""


@dataclass(frozen=True)
class Figures:
    """Of a process: megabytes, threads, open files."""

    memory: float
    threads: float
    files: float


def figures_of(pid: int) -> Figures:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Figures(int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]), files)


class Soak:
    """Measures once when everything has settled, and once at the end."""

    def __init__(self, line: Line, pids: Mapping[str, int], *, settled_s: float) -> None:
        self._line = line
        self._pids = pids
        self._settled_at = time.monotonic() + settled_s
        self.settled: dict[str, Figures] | None = None
        self.redis_settled = 0.0

    def look(self, _: str) -> None:
        if self.settled is None and time.monotonic() >= self._settled_at:
            self.settled, self.redis_settled = self.measure(), self.redis_bytes_a_job()

    def measure(self) -> dict[str, Figures]:
        return {name: figures_of(pid) for name, pid in self._pids.items()}

    def redis_bytes_a_job(self) -> float:
        """What Redis holds of each job: ended ones stay until their retention is over."""
        info = self._line.ledger.redis.info("memory")
        jobs = sum(1 for _ in self._line.ledger.redis.scan_iter(f"{self._line.namespace}:job:*", count=1_000))
        return (info["used_memory"] - info["used_memory_startup"]) / jobs


@pytest.mark.timeout(0)
def test_nothing_grows(emulator, tmp_path, capsys):
    hours = float(os.environ.get("HOURS") or 2)
    rng = Random(hours)
    count = WARM_UP_JOBS + int(hours * 60 * JOBS_A_MINUTE)
    orders = [make_order(20_000 + number, rng, emulator) for number in range(count)]
    with mortal_valkey() as valkey, ExitStack() as stack:
        line = make_line(valkey.url, emulator, tmp_path / "home", "soak", start_settle_secs="5", countdown_polls="8")
        control, fetch = stack.enter_context(running_workers(line, "control", "fetch"))
        gateway = stack.enter_context(running_gateway(line))
        weather = Weather(line, valkey, rng, kinds=BLOWS, calm_secs=CALM_SECS)
        stack.callback(weather.end)
        pids = {
            "control": control.pid,
            "fetch": fetch.pid,
            "gateway": gateway.process.pid,
            "Valkey": valkey.process.pid,
        }
        Storm(line, orders[:WARM_UP_JOBS], in_flight=WARM_UP_JOBS).run(report=lambda _: None)
        soak = Soak(line, pids, settled_s=min(SETTLED_SECS, hours * 3_600 / 4))
        weather.begin()

        def look(progress: str) -> None:
            gateway.http.get("/v1/jobs").raise_for_status()
            gateway.http.get("/metrics").raise_for_status()
            soak.look(progress)

        Storm(line, orders[WARM_UP_JOBS:], every_s=60 / JOBS_A_MINUTE).run(report=look)
        weather.calm()
        wait_for(lambda: soak.settled, what="a first measurement")
        ended, redis_ended = soak.measure(), soak.redis_bytes_a_job()
        faults = Faults()
        for order in orders:
            judge(order, line, answer_of(line, order), faults)
        line.client.close()
    with capsys.disabled():
        print(f"\n{hours:g} hours, {len(orders)} jobs, {len(weather.blows)} workers killed or frozen")  # noqa: T201
        print(table(soak.settled, ended, soak.redis_settled, redis_ended))  # noqa: T201
    assert faults.said == []
    assert grown(soak.settled, ended) == []
    assert redis_ended <= soak.redis_settled * 1.1


def table(
    settled: Mapping[str, Figures], ended: Mapping[str, Figures], redis_settled: float, redis_ended: float
) -> str:
    pairs = {name: (settled[name], end) for name, end in ended.items()}
    rows = [
        f"| {name} | {was.memory:.0f} MB, {end.memory:.0f} MB | {was.threads:.0f}, {end.threads:.0f} | "
        f"{was.files:.0f}, {end.files:.0f} |"
        for name, (was, end) in pairs.items()
    ]
    head = ["| process | memory: settled, at the end | threads | open files |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, f"Redis bytes a job: {redis_settled:,.0f}, {redis_ended:,.0f}"])


def grown(settled: Mapping[str, Figures], ended: Mapping[str, Figures]) -> list[str]:
    return [
        f"{name}: {what} from {before:g} to {after:g}"
        for name, end in ended.items()
        for what, growth in GROWTH.items()
        if (name, what) != ("Valkey", "memory")  # it keeps ended jobs: judged by bytes a job
        and (after := getattr(end, what)) > (before := getattr(settled[name], what)) * growth + SLACK[what]
    ]

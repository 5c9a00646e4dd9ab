"""Jobs/s of many small jobs: one item each, runs that end at once, a poll every second.

Twice: without the wait for the platform's counters after a run's end (`dataset_lag_secs` 0), which is the line's own
work, and with the default of 10 s. Of the first, each round is followed by one of a plain Celery chain on the same
Valkey and emulator. See bench/README.md.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stand import TOKEN, Meter, Stand, spread, standing


def measure_round(stand: Stand, actor: str, jobs: int) -> dict[str, float]:
    meters = {name: Meter(pid) for name, pid in {**stand.line, "emulator": stand.emulator_pid}.items()}
    order = {"actor": actor, "poll_interval_secs": 1, "collect": {"records": []}}
    began = time.monotonic()
    orders = [stand.client.submit(order) for _ in range(jobs)]
    ordered = time.monotonic() - began
    results = [stand.client.wait(order, 600) for order in orders]
    ended = time.monotonic() - began
    if {result.items for result in results} != {1}:
        raise SystemExit("A delivery is not whole.")
    return {
        "s to order": ordered,
        "s to the last answer": ended,
        "jobs/s": jobs / ended,
        **{f"CPU ms a job, {name}": meter.cpu_secs() / jobs * 1000 for name, meter in meters.items()},
        **{f"peak MB, {name}": meter.peak_mbytes() for name, meter in meters.items()},
    }


@contextmanager
def plain_chain(stand: Stand) -> Iterator[tuple[Any, int]]:
    """Run a worker of the plain chain; yield its module and its pid."""
    broker, results = stand.other_databases
    folder = stand.home / "plain"
    folder.mkdir()
    os.environ.update(BROKER=broker, RESULTS=results, API=stand.emulator, TOKEN=TOKEN, FOLDER=str(folder))
    import plain_chain as chain

    command = ["-m", "celery", "-A", "plain_chain", "worker", "--pool", "threads", "--concurrency", "16"]
    with (stand.home / "plain.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-W", "ignore", *command], cwd=Path(__file__).parent, stdout=log, stderr=log
        )
    try:
        chain.order(stand.actor("small", items=1, duration_secs=0)).get(timeout=60)
        yield chain, worker.pid
    finally:
        worker.terminate()
        worker.wait()


def measure_chain(stand: Stand, chain: Any, pid: int, actor: str, jobs: int) -> dict[str, float]:
    meters = {"valkey": Meter(stand.line["valkey"]), "worker": Meter(pid)}
    began = time.monotonic()
    if {result.get(timeout=600) for result in [chain.order(actor) for _ in range(jobs)]} != {1}:
        raise SystemExit("The plain chain lost rows.")
    ended = time.monotonic() - began
    cpu = {f"plain chain: CPU ms a job, {name}": meter.cpu_secs() / jobs * 1000 for name, meter in meters.items()}
    return {"plain chain: jobs/s": jobs / ended, **cpu}


def compared(figures: dict[str, float]) -> dict[str, float]:
    ours = sum(figures[f"CPU ms a job, {name}"] for name in ("valkey", "control", "fetch"))
    theirs = sum(figures[f"plain chain: CPU ms a job, {name}"] for name in ("valkey", "worker"))
    return {**figures, "CPU of Actorline to the plain chain's": ours / theirs}


def beside_a_plain_chain(stand: Stand, actor: str, jobs: int, rounds: int) -> list[dict[str, float]]:
    with plain_chain(stand) as (chain, pid):
        return [
            compared(measure_round(stand, actor, jobs) | measure_chain(stand, chain, pid, actor, jobs))
            for _ in range(rounds)
        ]


def measure(lag_secs: int, jobs: int, rounds: int) -> None:
    with standing(dataset_lag_secs=str(lag_secs)) as stand:
        actor = stand.actor("small", items=1, duration_secs=0)
        if lag_secs:
            figures = [measure_round(stand, actor, jobs) for _ in range(rounds)]
        else:
            figures = beside_a_plain_chain(stand, actor, jobs, rounds)
    print(f"| {jobs:,} jobs, dataset_lag_secs {lag_secs} | |\n|---|---|")
    for name in figures[0]:
        print(f"| {name} | {spread((round_[name] for round_ in figures), 1)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for lag_secs in (0, 10):
        measure(lag_secs, options.jobs, options.rounds)

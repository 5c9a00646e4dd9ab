"""Thousands of jobs: ordered at once, waiting together, noticed as their runs end, and all of them ending at once.

Each job is a real start of a run that takes a day; a run is ended by an abort at the emulator. See bench/README.md.
"""

import argparse
import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stand import TOKEN, Meter, Stand, standing

from actorline.identifiers import JobKey
from actorline.jobs.states import TERMINAL, State

INTERVAL_SECS = 5
TOGETHER_SECS = 5.0
AT_ONCE = 500  # jobs that are read at once


def ask(stand: Stand, method: str, path: str) -> Any:
    request = urllib.request.Request(
        f"{stand.emulator}{path}", method=method, headers={"Authorization": f"Bearer {TOKEN}"}
    )
    with urllib.request.urlopen(request) as response:
        text = response.read()
    return json.loads(text) if text else None


def until(condition: Callable[[], bool], secs: float, what: str) -> None:
    deadline = time.monotonic() + secs
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {secs:.0f} s.")
        time.sleep(0.2)


@dataclass(frozen=True)
class Crowd:
    """`keys` of the jobs, in the order in which they were ordered."""

    stand: Stand
    keys: Sequence[JobKey]

    def jobs(self, keys: Sequence[JobKey]) -> list[Any]:
        blocks = [keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE)]
        return [job for block in blocks for job in self.stand.ledger.load_many(block)]

    def count(self, *states: State) -> int:
        redis = self.stand.ledger.redis
        return sum(int(redis.zcard(self.stand.ledger.name("state", state))) for state in states)

    def end_runs(self, keys: Sequence[JobKey], within_s: float) -> None:
        """Abort the jobs' runs, spread evenly over a time."""
        runs = [job.run.id for job in self.jobs(keys)]
        began = time.monotonic()

        def end(number: int) -> None:
            time.sleep(max(began + within_s * number / len(runs) - time.monotonic(), 0))
            ask(self.stand, "POST", f"/v2/actor-runs/{runs[number]}/abort")

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(end, range(len(runs))))


def order(stand: Stand, jobs: int) -> tuple[Crowd, str]:
    """Order jobs at once, and return them with a row of the table."""
    actor = stand.actor("waiting", items=10, duration_secs=86_400, abort_secs=0)
    document = {"actor": actor, "poll_interval_secs": INTERVAL_SECS}
    meter = Meter(stand.line["control"])
    began = stand.ledger.now()
    keys = [JobKey(stand.client.submit(document).key) for _ in range(jobs)]
    ordered_s = stand.ledger.now() - began
    crowd = Crowd(stand, keys)
    until(lambda: crowd.count(State.RUNNING) >= jobs, 60 + jobs / 5, "all runs started")
    known = sorted(job.run.known_at - began for job in crowd.jobs(keys))
    rate = jobs / known[-1]
    cpu_ms = meter.cpu_secs() / jobs * 1000
    return crowd, f"{jobs:,} | {ordered_s:.1f} | {known[0]:.2f} | {known[-1]:.0f} | {rate:.0f} | {cpu_ms:.0f}"


def wait(crowd: Crowd, secs: float, bytes_before: int) -> str:
    stand, jobs = crowd.stand, len(crowd.keys)
    until(lambda: stand.ledger.redis.hlen(stand.ledger.name("parked")) >= jobs, 120, "all jobs parked")
    time.sleep(3 * INTERVAL_SECS)
    per_job = (stand.ledger.redis.info("memory")["used_memory"] - bytes_before) / jobs
    meters = [Meter(pid) for pid in (*stand.line.values(), stand.emulator_pid)]
    ask(stand, "DELETE", "/emulator/requests")
    began = time.monotonic()
    time.sleep(secs)
    elapsed = time.monotonic() - began
    requests = len(ask(stand, "GET", "/emulator/requests")) / elapsed * INTERVAL_SECS
    cpu = " | ".join(f"{meter.cpu_secs() / elapsed:.1%}" for meter in meters)
    workers = [meter for name, meter in zip(stand.line, meters, strict=False) if name != "valkey"]
    return f"{requests:.1f} | {cpu} | {max(meter.peak_mbytes() for meter in workers):.0f} | {per_job:,.0f}"


def notice(crowd: Crowd, keys: Sequence[JobKey], intervals: int) -> str:
    """Return how long after their ends runs are noticed, while some end in each interval."""
    crowd.end_runs(keys, intervals * INTERVAL_SECS)
    until(lambda: all(job.state in TERMINAL for job in crowd.jobs(keys)), 120, "all noticed")
    waits = []
    for job in crowd.jobs(keys):
        entries = crowd.stand.ledger.timeline.entries(job.key)
        (noticed,) = [entry.at for entry in entries if entry.event == "run-ended"]
        ended = crowd.stand.ledger.redis.hget(crowd.stand.ledger.name("job", job.key), "run_finished_at")
        waits.append(float(noticed) - datetime.fromisoformat(ended).timestamp())
    waits.sort()
    shown = [waits[min(int(share * len(waits)), len(waits) - 1)] for share in (0.5, 0.9, 0.99, 1)]
    return f"{len(waits):,} | {' | '.join(f'{secs:.1f}' for secs in shown)}"


def end_together(crowd: Crowd, keys: Sequence[JobKey]) -> str:
    before, began = crowd.count(*TERMINAL), time.monotonic()
    crowd.end_runs(keys, TOGETHER_SECS)
    aborted_s = time.monotonic() - began
    until(lambda: crowd.count(*TERMINAL) >= before + len(keys), 60 + len(keys) / 2, "all delivered")
    elapsed = time.monotonic() - began
    return f"{len(keys):,} | {aborted_s:.1f} | {elapsed:.1f} | {len(keys) / elapsed:.1f}"


def measure(jobs: int, secs: float, together: int) -> None:
    with standing() as stand:
        bytes_before = stand.ledger.redis.info("memory")["used_memory"]
        crowd, row = order(stand, jobs)
        print(
            "| ordered at once | s to order | s to the first start | s to the last | starts/s | control CPU ms a job |"
        )
        print(f"| {row} |", flush=True)
        names = " | ".join(f"CPU of {name}" for name in (*stand.line, "emulator"))
        print(f"| waiting: requests an interval | {names} | MB of a worker | bytes of Redis a job |")
        print(f"| {wait(crowd, secs, bytes_before)} |", flush=True)
        few = max(jobs // 100, 5) * 8
        print("| noticed, 1 % an interval | p50 s | p90 | p99 | longest |")
        print(f"| {notice(crowd, crowd.keys[:few], 8)} |", flush=True)
        print("| end together | within s | all delivered after s | jobs/s |")
        print(f"| {end_together(crowd, crowd.keys[few : few + together])} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5_000)
    parser.add_argument("--secs", type=float, default=60)
    parser.add_argument("--together", type=int, default=1_000)
    options = parser.parse_args()
    measure(options.jobs, options.secs, options.together)

"""Jobs/s of many small jobs: one item each, runs that end at once, a poll every second.

Twice: without the wait for the platform's counters after a run's end (`dataset_lag_secs` 0), which is the line's own
work, and with the default of 10 s. See bench/README.md.
"""

import argparse
import time

from stand import Meter, Stand, spread, standing


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


def measure(lag_secs: int, jobs: int, rounds: int) -> None:
    with standing(dataset_lag_secs=str(lag_secs)) as stand:
        actor = stand.actor("small", items=1, duration_secs=0)
        figures = [measure_round(stand, actor, jobs) for _ in range(rounds)]
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

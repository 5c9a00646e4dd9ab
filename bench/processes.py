"""Jobs/s of small jobs with 1, 2 and 4 worker processes, each response of the platform some time late.

1: one process that does all. 2: control and fetch, as `actorline up` has them. 4: two of each. See bench/README.md.
"""

import argparse
import time

from stand import Meter, spread, standing

PROCESSES = {1: ("all",), 2: ("control", "fetch"), 4: ("control", "control", "fetch", "fetch")}


def measure(processes: int, jobs: int, rounds: int, latency_ms: int) -> str:
    with standing(*PROCESSES[processes], dataset_lag_secs="0") as stand:
        actor = stand.actor("small", items=1, duration_secs=0)
        stand.fault(action="delay", path_regex="/v2/", secs=latency_ms / 1000)
        order = {"actor": actor, "poll_interval_secs": 1, "collect": {"records": []}}
        rates, cpu = [], []
        for _ in range(rounds):
            meter = Meter(*stand.line.values())
            began = time.monotonic()
            for each in [stand.client.submit(order) for _ in range(jobs)]:
                stand.client.wait(each, 600)
            elapsed = time.monotonic() - began
            rates.append(jobs / elapsed)
            cpu.append(meter.cpu_secs() / elapsed * 100)
        return f"| {processes} | {spread(rates, 1)} | {spread(cpu)} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency-ms", type=int, default=100)
    options = parser.parse_args()
    print("| processes | jobs/s | CPU of workers and Valkey, % of a core |\n|---|---|---|")
    for processes in PROCESSES:
        print(measure(processes, options.jobs, options.rounds, options.latency_ms), flush=True)

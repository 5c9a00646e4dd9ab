"""What it costs to watch many running jobs: by countdown, each poll a message and a GET, and parked, by one list.

The runs are started at the emulator by hand and taken over. See bench/README.md.
"""

import argparse
import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from stand import TOKEN, Meter, Stand, standing

INTERVAL_SECS = 5


def start_runs(stand: Stand, count: int) -> list[str]:
    actor = stand.actor("waiting", items=0, duration_secs=86_400)
    url = f"{stand.emulator}/v2/actors/{actor.replace('/', '~')}/runs"

    def start(_: int) -> str:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url, b"{}", headers, method="POST")) as response:
            return str(json.load(response)["data"]["id"])

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(start, range(count)))


def requests(stand: Stand, method: str = "GET") -> int:
    """Return how many requests the emulator has had since they were last reset (DELETE)."""
    url = f"{stand.emulator}/emulator/requests"
    with urllib.request.urlopen(urllib.request.Request(url, method=method)) as response:
        return len(json.load(response)) if method == "GET" else 0


def measure(stand: Stand, jobs: int, secs: float) -> str:
    for run_id in start_runs(stand, jobs):
        stand.client.submit({"run_id": run_id, "poll_interval_secs": INTERVAL_SECS})
    began = time.monotonic()
    while stand.ledger.redis.zcard(stand.ledger.name("state", "RUNNING")) < jobs:
        if time.monotonic() - began > jobs:
            raise SystemExit("The jobs don't get to RUNNING.")
        time.sleep(1)
    time.sleep(3 * INTERVAL_SECS)
    meters = [Meter(pid) for pid in (*stand.line.values(), stand.emulator_pid)]
    requests(stand, "DELETE")
    began = time.monotonic()
    time.sleep(secs)
    elapsed = time.monotonic() - began
    cpu = " | ".join(f"{meter.cpu_secs() / elapsed:.0%}" for meter in meters)
    return f"{requests(stand) / elapsed:.1f} | {cpu} | {meters[0].peak_mbytes():.0f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--secs", type=float, default=60)
    options = parser.parse_args()
    for title, polls in (("parked", "0"), ("by countdown", str(options.jobs))):
        with standing(countdown_polls=polls) as stand:
            row = measure(stand, options.jobs, options.secs)
            names = " | ".join(f"CPU of {name}" for name in (*stand.line, "emulator"))
            print(f"| {options.jobs} jobs | requests/s | {names} | MB of {next(iter(stand.line))} |")
            print(f"| {title} | {row} |", flush=True)

"""Batches: what a member costs beside a job ordered by itself, and how long many inputs take to be registered.

The inputs are read from a file of JSON lines and stored while paid runs are paused. See bench/README.md.
"""

import argparse
import json
import time

from stand import Meter, Stand, spread, standing

from actorline.batches.batch import load_batch
from actorline.ledger.admission.pause import pause, resume

RUNNING = 50
WITHIN_SECS = 600.0


def measure_members(stand: Stand, actor: str, jobs: int) -> dict[str, float]:
    meters = {name: Meter(pid) for name, pid in stand.line.items()}
    began = time.monotonic()
    document = {"template": {"actor": actor, "poll_interval_secs": 1, "collect": {"records": []}},
                "inputs": [{"number": number} for number in range(jobs)], "max_running": RUNNING}  # fmt: skip
    result = stand.client.wait(stand.client.submit_batch(document), WITHIN_SECS)
    ended = time.monotonic() - began
    if result.items != jobs:
        raise SystemExit("A delivery is not whole.")
    cpu = {f"CPU ms a member, {name}": meter.cpu_secs() / jobs * 1000 for name, meter in meters.items()}
    return {"members/s": jobs / ended, **cpu}


def measure_jobs(stand: Stand, actor: str, jobs: int) -> dict[str, float]:
    meters = {name: Meter(pid) for name, pid in stand.line.items()}
    began = time.monotonic()
    order = {"actor": actor, "poll_interval_secs": 1, "collect": {"records": []}}
    orders = [stand.client.submit({**order, "input": {"number": number}}) for number in range(jobs)]
    for each in orders:
        stand.client.wait(each, WITHIN_SECS)
    ended = time.monotonic() - began
    cpu = {f"CPU ms a plain job, {name}": meter.cpu_secs() / jobs * 1000 for name, meter in meters.items()}
    return {"plain jobs/s": jobs / ended, **cpu}


def measure_inputs(stand: Stand, inputs: int) -> dict[str, float]:
    """Store inputs of about a kB while nothing may start, and return seconds, and what memory that took."""
    folder = stand.home / "rows" / "sources"
    folder.mkdir(parents=True)
    with (folder / "inputs.jsonl").open("w") as file:
        for number in range(inputs):
            url = f"https://example.com/{number}"
            file.write(json.dumps({"startUrls": [{"url": url}], "note": "x" * 900}) + "\n")
    pause(stand.ledger)
    meter, before = Meter(stand.line["fetch"]), int(stand.ledger.redis.info("memory")["used_memory"])
    began = time.monotonic()
    order = stand.client.submit_batch(
        {"template": {"actor": "demo/none"}, "inputs_url": (folder / "inputs.jsonl").as_uri(), "max_running": 1}
    )
    while (batch := load_batch(stand.ledger, order.key)) is None or batch.inputs is None:
        if time.monotonic() - began > WITHIN_SECS:
            raise SystemExit("The inputs were not stored.")
        time.sleep(0.02)
    took = time.monotonic() - began
    grown = int(stand.ledger.redis.info("memory")["used_memory"]) - before
    stand.client.cancel(order.key)
    resume(stand.ledger)
    return {
        "s to store the inputs": took,
        "peak MB of the fetch worker": meter.peak_mbytes(),
        "kB of Redis": grown / 1e3,
    }


def measure(jobs: int, rounds: int, inputs: int) -> None:
    with standing(dataset_lag_secs="0") as stand:
        actor = stand.actor("small-member", items=1, duration_secs=0)
        figures = [measure_jobs(stand, actor, jobs) | measure_members(stand, actor, jobs) for _ in range(rounds)]
        stored = measure_inputs(stand, inputs)
    print(f"| {jobs:,} members, {RUNNING} at a time, beside as many plain jobs | |\n|---|---|")
    for name in figures[0]:
        print(f"| {name} | {spread((round_[name] for round_ in figures), 1)} |")
    print(f"\n| {inputs:,} inputs of 1 kB from a file | |\n|---|---|")
    for name, value in stored.items():
        print(f"| {name} | {value:,.1f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inputs", type=int, default=100_000)
    options = parser.parse_args()
    measure(options.jobs, options.rounds, options.inputs)

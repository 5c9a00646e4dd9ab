"""Items/s of one large job, beside the official client and curl on the same dataset of the same emulator, in turn.

Ratios hold on a noisy machine where items/s do not: each is taken within one round. See bench/README.md.
"""

import argparse
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stand import TOKEN, Finished, Meter, Stand, run, spread, standing

from actorline.delivery.sink import local_path
from actorline.identifiers import JobKey

PARALLEL = 16
Windows = list[tuple[int, int]]
"""(offset, limit) of each."""


@dataclass(frozen=True)
class Result:
    """`cpu_secs`: what read the items; `server_secs`: CPU seconds of the emulator meanwhile."""

    items_per_sec: float
    cpu_secs: float
    server_secs: float
    peak_mbytes: float


def actorline(stand: Stand, actor: str, count: int, **document: Any) -> tuple[str, Windows, dict[str, Result]]:
    """Run one job; return its dataset, its windows, and the results of collecting and of the whole, order to answer.

    `document`: what else is ordered.
    """
    server, line = Meter(stand.emulator_pid), Meter(*stand.line.values())
    began = time.monotonic()
    order = stand.client.submit({"actor": actor, "poll_interval_secs": 1, "collect": {"records": []}, **document})
    job = stand.client.wait(order, 600)
    end_to_end = time.monotonic() - began
    cpu = line.cpu_secs(), server.cpu_secs(), line.peak_mbytes()
    delivery = stand.client.delivery(job)
    if not (delivery.manifest.complete and job.items == count):
        raise SystemExit("The delivery is not whole.")
    folder = local_path(job.sink or "")
    collecting = max(part.stat().st_ctime for part in folder.glob("part-*")) - collecting_at(stand, job.key)
    shutil.rmtree(folder)
    results = {"Actorline, collecting": collecting, "Actorline, order to answer": end_to_end}
    windows = [(part.offset, part.scanned) for part in delivery.manifest.parts]
    return job.dataset_id or "", windows, {name: Result(count / secs, *cpu) for name, secs in results.items()}


def collecting_at(stand: Stand, key: JobKey) -> float:
    return next(entry.at for entry in stand.ledger.timeline.entries(key) if entry.event == "collecting")


def others(stand: Stand, dataset: str, windows: Windows, count: int) -> Iterator[tuple[str, Callable[[], Finished]]]:
    client = [sys.executable, str(Path(__file__).with_name("official_client.py"))]
    where = [stand.emulator, dataset, str(count)]
    yield "curl, 16 at once, gzip", lambda: curl(stand, dataset, windows, encoding="gzip")
    yield "curl, 16 at once, plain", lambda: curl(stand, dataset, windows, encoding="identity")
    yield "official client, 16 threads", lambda: run([*client, "threads", *where])
    yield "official client, sequential", lambda: run([*client, "sequential", *where])


def curl(stand: Stand, dataset: str, windows: Windows, *, encoding: str) -> Finished:
    """Actorline's windows into files, as they come: nothing is inflated, counted or hashed."""
    folder = stand.home / "curl"
    folder.mkdir()
    lines = [f'header = "Authorization: Bearer {TOKEN}"', f'header = "Accept-Encoding: {encoding}"']
    for offset, limit in windows:
        query = f"format=jsonl&offset={offset}&limit={limit}"
        lines += [f'url = "{stand.emulator}/v2/datasets/{dataset}/items?{query}"', f'output = "{folder}/{offset}"']
    config = folder / "config"
    config.write_text("\n".join(lines))
    try:
        return run(
            [
                "curl",
                "-fZ",
                "--no-progress-meter",
                "--parallel-immediate",
                "--parallel-max",
                str(PARALLEL),
                "-K",
                str(config),
            ]
        )
    finally:
        shutil.rmtree(folder)


def measure_round(stand: Stand, actor: str, count: int) -> dict[str, Result]:
    dataset, windows, results = actorline(stand, actor, count)
    for name, read in others(stand, dataset, windows, count):
        server = Meter(stand.emulator_pid)
        done = read()
        results[name] = Result(count / done.secs, done.cpu_secs, server.cpu_secs(), done.peak_mbytes)
    return results


def show(rounds: list[dict[str, Result]]) -> None:
    """A table of medians, least and most; the ratio is Actorline's collecting to each, round by round."""
    columns: dict[str, list[Result]] = defaultdict(list)
    for results in rounds:
        for name, result in results.items():
            columns[name].append(result)
    first = next(iter(columns.values()))
    print("| | items/s | Actorline's to it | CPU s | CPU s of the server | peak MB |\n|---|---|---|---|---|---|")
    for name, column in columns.items():
        ratios = [ours.items_per_sec / other.items_per_sec for ours, other in zip(first, column, strict=True)]
        print(
            f"| {name} | {spread(r.items_per_sec for r in column)} | {spread(ratios, 2)} "
            f"| {spread((r.cpu_secs for r in column), 1)} | {spread((r.server_secs for r in column), 1)} "
            f"| {spread(r.peak_mbytes for r in column)} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency-ms", type=float, default=0, help="of each answer with items")
    parser.add_argument("--mbytes-per-sec", type=float, help="of each connection")
    options = parser.parse_args()
    with standing() as stand:
        script = {"item_kind": "plain", "item_bytes": 500, "items": options.items, "duration_secs": 0}
        actor = stand.actor("large", **script)
        if options.latency_ms or options.mbytes_per_sec:
            rate = int(options.mbytes_per_sec * 1e6) if options.mbytes_per_sec else None
            stand.fault(
                action="slow_wire",
                path_regex="/items$",
                latency_secs=options.latency_ms / 1000,
                bytes_per_sec=rate,
            )
        show([measure_round(stand, actor, options.items) for _ in range(options.rounds)])

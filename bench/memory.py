"""Peak memory of both workers above idle, by the size of the dataset: it must not grow with it. See bench/README.md."""

import argparse
import shutil
from typing import Final

from stand import Meter, Stand, standing

from actorline.delivery.sink import local_path

ITEM_BYTES: Final = 500
SIZES: Final = [10_000, 1_000_000, 100_000_000, 1_000_000_000, 10_000_000_000]


def measure(stand: Stand, size: int, idle: float) -> None:
    """One job; a row of the table."""
    workers = Meter(stand.line["control"], stand.line["fetch"])
    script = {"item_kind": "plain", "item_bytes": ITEM_BYTES, "items": size // ITEM_BYTES, "duration_secs": 0}
    document = {"actor": stand.actor(f"of-{size}", **script), "poll_interval_secs": 1, "collect": {"records": []}}
    job = stand.client.wait(stand.client.submit(document), 3_600)
    manifest = stand.client.delivery(job).manifest
    if not (manifest.complete and job.items == size // ITEM_BYTES):
        raise SystemExit("The delivery is not whole.")
    shutil.rmtree(local_path(job.sink or ""))
    cpu = workers.cpu_secs() / (size / 1e9) if size >= SIZES[2] else 0
    above = workers.peak_mbytes() - idle
    print(f"| {size:,} | {len(manifest.parts)} | {above:.0f} | {f'{cpu:.1f}' if cpu else ''} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most-bytes", type=int, default=SIZES[-1], help="leave out larger datasets")
    options = parser.parse_args()
    with standing() as stand:
        idle = Meter(stand.line["control"], stand.line["fetch"]).peak_mbytes()  # of no time yet: what they hold now
        print(f"Idle: {idle:.0f} MB\n\n| bytes | pages | peak MB above idle | CPU s a GB |\n|---|---|---|---|")
        for size in SIZES:
            if size <= options.most_bytes:
                measure(stand, size, idle)

"""What it takes to read a gigabyte of inputs, from a file and over HTTP: each is checked and stored before the first
run. The embedded stack does it, while starts are paused.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stand import LOOK_SECS, Meter, Stand, peak_mbytes, standing

from actorline.batches.batch import load_batch
from actorline.ledger.admission.pause import pause

INPUT_BYTES = 2_500
WITHIN_SECS = 3_600.0
NAME = "inputs.jsonl"


def write_source(path: Path, size_bytes: int) -> int:
    """Write inputs as JSON lines, and return how many."""
    number = 0
    with path.open("w") as file:
        while file.tell() < size_bytes:
            url = f"https://example.com/{number}"
            file.write(json.dumps({"startUrls": [{"url": url}], "note": "x" * INPUT_BYTES}) + "\n")
            number += 1
    return number


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the files of a folder by a process of its own."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout
        yield server.stdout.readline().split()[-2].strip("()/ ")  # Serving HTTP on ... (http://.../) ...
        server.terminate()


def measure(stand: Stand, name: str, url: str, count: int) -> str:
    """Return a row: seconds, seconds of CPU, and peaks of memory in MB."""
    fetch = stand.line["fetch"]
    meter, resting = Meter(fetch), peak_mbytes(fetch)
    began = time.monotonic()
    order = stand.client.submit_batch({"template": {"actor": "demo/none"}, "inputs_url": url, "max_running": 1})
    checker_mb = 0.0
    while (batch := load_batch(stand.ledger, order.key)) is None or batch.inputs is None:
        if time.monotonic() - began > WITHIN_SECS or (batch and batch.is_terminal):
            raise SystemExit(f"The inputs were not stored: {batch and batch.reason}")
        for child in Path(f"/proc/{fetch}/task").glob("*/children"):
            for pid in child.read_text().split():
                with suppress(OSError):
                    checker_mb = max(checker_mb, peak_mbytes(int(pid)))
        time.sleep(LOOK_SECS)
    took = time.monotonic() - began
    if batch.inputs != count:
        raise SystemExit("Inputs are missing.")
    stand.client.cancel(order.key)
    peak = meter.peak_mbytes()
    return f"| {name} | {took:.0f} | {meter.cpu_secs():.1f} | {resting:.0f}, {peak:.0f} | {checker_mb:.0f} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gbytes", type=float, default=1)
    arguments = parser.parse_args()
    with standing(input_hosts="127.0.0.1") as stand:
        folder = stand.home / "rows" / "sources"
        folder.mkdir(parents=True)
        count = write_source(folder / NAME, int(arguments.gbytes * 1e9))
        pause(stand.ledger)
        print(f"| {count:,} inputs | s | CPU s of the worker | its MB before, peak | peak MB of the check |")
        print("|---|---|---|---|---|", flush=True)
        with served(folder) as url:
            print(measure(stand, "over HTTP", f"{url}/{NAME}", count), flush=True)
        print(measure(stand, "from a file", (folder / NAME).as_uri(), count), flush=True)

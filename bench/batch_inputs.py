"""What it takes to read a gigabyte of inputs: each is parsed, checked and stored before the first run is started.

A process of its own stores them as a fetch worker does, so that its peak memory is that of this work alone.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from actorline.batches.input_file import InputFile
from actorline.batches.inputs import source_lines
from actorline.identifiers import ExecutionToken, JobKey
from actorline.settings import Settings

INPUT_BYTES = 2_500


def write_source(path: Path, size_bytes: int) -> int:
    """Write inputs as JSON lines, and return how many."""
    number = 0
    with path.open("w") as file:
        while file.tell() < size_bytes:
            url = f"https://example.com/{number}"
            file.write(json.dumps({"startUrls": [{"url": url}], "note": "x" * INPUT_BYTES}) + "\n")
            number += 1
    return number


def store(source: str, sink: str) -> None:
    """Store the inputs, and print seconds of CPU and the peak of memory in MB, with what the process had before."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    inputs = source_lines(source, Settings())
    count = InputFile(sink).store("bench", JobKey("bench"), inputs, ExecutionToken("bench"))
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "inputs": count,
        "cpu_s": used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime,
        "before_mb": before.ru_maxrss / 1e3,
        "peak_mb": used.ru_maxrss / 1e3,
    }
    print(json.dumps(figures))


def measure(gbytes: float) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        source = Path(folder) / "inputs.jsonl"
        count = write_source(source, int(gbytes * 1e9))
        began = time.monotonic()
        child = [sys.executable, __file__, "--store", source.as_uri(), f"{Path(folder).as_uri()}/sink/"]
        figures = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
        took = time.monotonic() - began
    if figures["inputs"] != count:
        raise SystemExit("Inputs are missing.")
    print(f"| {count:,} inputs, {gbytes:g} GB | |\n|---|---|")
    print(f"| seconds; of CPU | {took:.1f}; {figures['cpu_s']:.1f} |")
    print(f"| peak memory of the process; before it began, MB | {figures['peak_mb']:.0f}; {figures['before_mb']:.0f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gbytes", type=float, default=1)
    parser.add_argument("--store", nargs=2, metavar=("SOURCE", "SINK"))
    arguments = parser.parse_args()
    if arguments.store:
        store(*arguments.store)
    else:
        measure(arguments.gbytes)

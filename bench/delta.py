"""What changed between two deliveries, beside plain `duckdb` on the same files: seconds, CPU, peak memory.

Nothing else is brought up: the deliveries are made here, one row in a hundred is new, gone or changed.
"""

import argparse
import hashlib
import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson
from isal import igzip

from actorline.delivery.changes.find_changes import ChangesFinder
from actorline.delivery.execution import Execution
from actorline.delivery.manifest import Manifest, Part, totals_of
from actorline.delivery.read_back import Delivery
from actorline.delivery.sink import open_sink
from actorline.identifiers import ExecutionToken

PART_ROWS: Final = 50_000
MEMORY: Final = "1GB"  # for plain duckdb; Actorline's bound is its own
PLAIN: Final = """
COPY (SELECT a, b FROM read_json('{after}/*.gz') a FULL JOIN read_json('{before}/*.gz') b ON a.url = b.url
      WHERE a IS DISTINCT FROM b) TO '{target}' (FORMAT json, COMPRESSION gzip)
"""


def row(number: int, version: int) -> bytes:
    text = f"Product {number} of the shop, " * 5
    return orjson.dumps(
        {
            "url": f"https://shop.example/products/{number}",
            "price": round((number + version) * 0.37, 2),
            "title": f"Product {number}",
            "stock": {"here": number % 7, "at": [number, number + 1]},
            "description": text,
        }
    )


def make(folder: Path, rows: Iterator[bytes]) -> None:
    folder.mkdir()
    parts: list[Part] = []
    offset = 0
    while block := list(islice(rows, PART_ROWS)):
        data = igzip.compress(b"".join(line + b"\n" for line in block), 1)
        name, count = f"part-{len(parts):05}.jsonl.gz", len(block)
        (folder / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        parts.append(
            Part(name=name, offset=offset, limit=count, scanned=count, items=count, bytes=len(data), sha256=digest)
        )
        offset += count
    manifest = Manifest(
        job=folder.name, installation="bench", attempt=1, target={}, run=None, dataset_id=None, query={},
        format="jsonl", compression="gzip", parts=parts, records=[], totals=totals_of(parts, []), state="DELIVERED",
        complete=True, reason=None,
    )  # fmt: skip
    (folder / "manifest.json").write_text(manifest.model_dump_json())


def opened(folder: Path) -> Delivery:
    sink = open_sink(folder.as_uri())
    return Delivery(sink, Manifest.model_validate_json(sink.read("manifest.json")))


def actorline(home: Path) -> None:
    after = opened(home / "after")
    execution = Execution(ExecutionToken("bench"), lambda: None, lambda: None)
    finder = ChangesFinder(after.sink, "", "gzip", execution)
    found = finder.find(opened(home / "before"), after, ["url"])
    print(f"    added {found.added:,}, removed {found.removed:,}, changed {found.changed:,}", flush=True)


def plain(home: Path) -> None:
    spilled, target = home / "spilled", home / "plain.json.gz"
    with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(spilled)}) as database:
        database.execute("SET preserve_insertion_order = false")
        database.execute(PLAIN.format(before=home / "before", after=home / "after", target=target))


def measured(name: str, work: Callable[[Path], None], home: Path) -> None:
    """Do it in a process of its own, and print a row of the table."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    began = time.monotonic()
    process = context.Process(target=_measure, args=(work, home, sender))
    process.start()
    process.join()
    if process.exitcode:
        print(f"| {name} | failed | | |", flush=True)
        return
    cpu, peak_mbytes = receiver.recv()
    print(f"| {name} | {time.monotonic() - began:.0f} | {cpu:.0f} | {peak_mbytes:.0f} |", flush=True)


def _measure(work: Callable[[Path], None], home: Path, sender: Any) -> None:
    work(home)
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    sender.send((sum(each.ru_utime + each.ru_stime for each in usages), sum(each.ru_maxrss for each in usages) / 1024))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    home = Path(tempfile.mkdtemp(prefix="al-bench-"))
    try:
        make(home / "before", (row(number, 0) for number in range(rows)))
        make(home / "after", (row(number, number % 100 == 0) for number in range(rows // 100, rows + rows // 100)))
        print(f"{rows:,} rows on each side\n\n| | s | CPU s | peak MB |\n|---|---|---|---|", flush=True)
        measured("Actorline, `delta`", actorline, home)
        measured("plain duckdb, 1 GB", plain, home)
    finally:
        shutil.rmtree(home)

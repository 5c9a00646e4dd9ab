"""Items/s of a job whose rows are judged, beside one that isn't and the official client's threads, in turn.

Ratios hold on a noisy machine where items/s do not: each is taken within one round. See bench/README.md.
"""

import argparse
from typing import Any, Final

from items import Result, Windows, actorline, others, show
from stand import Meter, Stand, standing

CONTRACTS: Final[dict[str, dict[str, Any]]] = {
    "guarded: 2 fields, 1 type": {"required": ["url", "price"], "types": {"price": "number"}},
    "guarded: the same, and a key": {"required": ["url", "price"], "types": {"price": "number"}, "unique": ["url"]},
}
CLIENT: Final = "official client, 16 threads"


def measure_round(stand: Stand, actor: str, count: int) -> dict[str, Result]:
    """Collect the rows under each contract, without one, and with the client; the first is what ratios are to."""
    results: dict[str, Result] = {}
    for name, guard in CONTRACTS.items():
        *_, found = actorline(stand, actor, count, guard=guard)
        results[name] = found["Actorline, collecting"]
    dataset, windows, found = actorline(stand, actor, count)
    results["not guarded"] = found["Actorline, collecting"]
    results[CLIENT] = with_client(stand, dataset, windows, count)
    return results


def with_client(stand: Stand, dataset: str, windows: Windows, count: int) -> Result:
    read = dict(others(stand, dataset, windows, count))[CLIENT]
    server = Meter(stand.emulator_pid)
    done = read()
    return Result(count / done.secs, done.cpu_secs, server.cpu_secs(), done.peak_mbytes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with standing() as stand:
        script = {"item_kind": "plain", "item_bytes": 500, "items": options.items, "duration_secs": 0}
        actor = stand.actor("guarded", **script)
        show([measure_round(stand, actor, options.items) for _ in range(options.rounds)])

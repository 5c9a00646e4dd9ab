"""Makes `ledger-COMMIT.json`: what the code of a commit leaves in its ledger, for `test_stored_ledgers.py` to read.

Run in a checkout of that commit, with its folder on the path:

    git archive COMMIT | tar -x -C /tmp/old
    PYTHONPATH=/tmp/old:tests python tests/stored/make_dump.py COMMIT
"""

import json
import sys
import tempfile
from pathlib import Path

from real_parts import connect, make_line, running_emulator, running_workers, wait_for
from terminal import running_valkey

QUICK = {"poll_interval_secs": 1}
RECORD = {"OUTPUT": {"content_type": "text/plain", "body": "the report"}}


def main(commit: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="al-"))
    with running_emulator() as emulator, running_valkey(folder):
        line = make_line(f"redis+socket://{folder}/s", emulator, folder / "home", "actorline",
                         sink_url="file:///tmp/stored-ledger/{key}/")  # fmt: skip
        with running_workers(line, "control", "fetch"):
            order_all(line, emulator)
            dump = {"commit": commit, "keys": dict(dump_keys(f"redis+socket://{folder}/s?virtual_host=2"))}
        line.client.close()
    target = Path(__file__).with_name(f"ledger-{commit}.json")
    target.write_text(json.dumps(dump, indent=1, sort_keys=True) + "\n")
    sys.stdout.write(f"{target}: {len(dump['keys'])} keys\n")


def order_all(line, emulator) -> None:
    """Leave jobs in every kind of end, and some that are under way."""
    rows = emulator.actor("rows", items=40, duration_secs=0.3, records=RECORD)
    failing = emulator.actor("failing", items=30, duration_secs=0.3, final_status="FAILED")
    long = emulator.actor("long", items=1, duration_secs=600)
    ended = [
        {
            "key": "delivered",
            "actor": rows,
            "input": {"a": 1},
            "collect": {"records": ["OUTPUT"]},
            "labels": {"team": "a"},
        },
        {"key": "partial", "actor": failing},
        {"key": "failed", "actor": failing, "on_failure": {"deliver_partial": False}},
        {"key": "refused", "actor": "demo/unknown"},
        {"key": "expired", "actor": long, "deadline_secs": 2},
    ]
    for order in ended:
        line.submit({**QUICK, **order})
    batch = {"key": "batch", "template": {"actor": rows, **QUICK}, "inputs": [{"n": 1}, {"n": 2}]}
    line.send("actorline.batch", batch)
    for key in ("cancelled", "running"):
        line.submit({"key": key, "actor": long, **QUICK})
        wait_for(lambda key=key: line.state(key) == "RUNNING", what=key)
    line.cancel("cancelled")
    ends = {
        "delivered": "DELIVERED",
        "partial": "PARTIAL",
        "failed": "FAILED",
        "refused": "FAILED",
        "expired": "EXPIRED",
        "cancelled": "CANCELLED",
        "batch.000000": "DELIVERED",
        "batch.000001": "DELIVERED",
    }
    for key, state in ends.items():
        wait_for(lambda key=key, state=state: line.state(key) == state, what=f"{key} {state}")
    wait_for(
        lambda: line.ledger.redis.hget(line.ledger.name("batch", "batch"), "state") == "DELIVERED", what="the batch"
    )
    wait_for(lambda: all(line.ledger.load(key).figures_settled for key in ("delivered", "partial")), what="the figures")


def dump_keys(url: str):
    """Yield each key that doesn't expire, with its type and its content."""
    client = connect(url)
    for name in sorted(client.scan_iter(count=1000)):
        if client.ttl(name) != -1:
            continue
        kind = client.type(name)
        read = {
            "hash": client.hgetall, "string": client.get, "set": lambda key: sorted(client.smembers(key)),
            "zset": lambda key: client.zrange(key, 0, -1, withscores=True), "stream": client.xrange,
        }[kind]  # fmt: skip
        yield name, {"type": kind, "content": read(name)}
    client.close()


if __name__ == "__main__":
    main(sys.argv[1])

"""Redis memory of a page: its message, its window and receipt, its task's id and result. See bench/README.md."""

import argparse
import time

from stand import Stand, standing

from actorline.identifiers import JobKey


def used_bytes(stand: Stand) -> int:
    return int(stand.ledger.redis.info("memory")["used_memory_dataset"])


def measure(stand: Stand, pages: int) -> dict[str, float]:
    """Return the bytes per page while all of them wait for a fetch worker that is busy, and when they are stored."""
    actor = stand.actor("paged", items=pages * 10, item_kind="tiny", duration_secs=0)
    stand.fault(action="slow_wire", path_regex="/items$", latency_secs=3, times=1)
    before = used_bytes(stand)
    collect = {"page_items": 10, "records": []}
    order = stand.client.submit({"key": "paged", "actor": actor, "poll_interval_secs": 1, "collect": collect})
    while len(stand.ledger.pages.all(JobKey("paged"), 1)) < pages:
        time.sleep(0.02)
    time.sleep(1)
    waiting = used_bytes(stand)
    stand.client.wait(order, 600)
    return {"waiting": (waiting - before) / pages, "delivered": (used_bytes(stand) - before) / pages}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=250, help="at most as many as one wave holds")
    options = parser.parse_args()
    with standing(fetch_concurrency="1", dataset_lag_secs="0") as stand:
        for when, each in measure(stand, options.pages).items():
            print(f"{when}: {each:,.0f} bytes a page")

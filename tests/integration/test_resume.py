"""A download that was cut short goes on where it was, and one that is slow is left in peace."""

import pytest
from real_parts import delivery_of, running_workers, start_worker, wait_for

from actorline.delivery.receipt import Receipt

pytestmark = pytest.mark.thorough

QUICK = {"poll_interval_secs": 1}


def asked_offsets(line, dataset_id):
    requests = line.emulator.requests("GET", f"/v2/datasets/{dataset_id}/items")
    return [int(request["query"]["offset"]) for request in requests]


def test_job_whose_worker_dies_late_fetches_what_is_missing(own_line, faults):
    line = own_line("resumed", fetch_concurrency="2")
    actor = line.emulator.actor("resumed", items=1000, duration_secs=0)
    faults({"action": "slow_wire", "path_regex": "/items$", "latency_secs": 0.3})
    with running_workers(line, "control", "fetch") as workers:
        order = line.submit({"key": "resumed", "actor": actor, "collect": {"page_items": 50}, **QUICK})
        wait_for(lambda: (job := line.ledger.load("resumed")) and job.collection.pages >= 17, what="most of the pages")
        workers[1].kill()
        workers[1].wait()
        pages = line.ledger.pages.all("resumed", 1).values()
        stored = {page.offset for page in pages if isinstance(page, Receipt) and page.scanned}
        workers.append(start_worker("fetch", line))
        result = order.get(timeout=120)
    assert (result["state"], result["items"]) == ("DELIVERED", 1000)
    assert delivery_of(result).sha256 == line.emulator.expected(result["dataset_id"])["sha256"]
    asked = asked_offsets(line, result["dataset_id"])
    assert len(stored) >= 17
    assert all(asked.count(offset) == 1 for offset in stored)


def test_page_slower_than_its_lease_is_fetched_once(line, faults):
    actor = line.emulator.actor("dripping", items=150, item_kind="plain", duration_secs=0)
    faults({"action": "slow_wire", "path_regex": "/items$", "nth": 1, "bytes_per_sec": 1000})
    result = line.submit({"key": "dripping", "actor": actor, **QUICK}).get(timeout=120)
    assert (result["state"], result["items"]) == ("DELIVERED", 150)
    assert asked_offsets(line, result["dataset_id"]).count(0) == 1

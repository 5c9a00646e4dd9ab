"""A dataset that is ordered by its id while somebody writes to it: the job ends, and says what it has."""

import pytest
from real_parts import delivery_of, wait_for


@pytest.fixture
def growing(line, request):
    """A run that goes on for long, stores so many rows a second, and has some already."""
    rate = request.param
    actor = line.emulator.actor(f"writes-on-{rate}", items=600 * rate, item_rate=rate, duration_secs=600)
    run = line.emulator.start(actor)
    dataset = f"/v2/datasets/{run['defaultDatasetId']}"
    wait_for(lambda: line.emulator.get(dataset)["data"]["itemCount"] >= rate, what="some rows")
    return run


@pytest.mark.parametrize("growing", [5], indirect=True)
def test_growing_dataset_is_delivered_as_it_was_in_few_pages(line, growing):
    result = line.submit({"dataset_id": growing["defaultDatasetId"]}).get(timeout=120)
    assert line.emulator.run(growing["id"])["status"] == "RUNNING"
    delivery = delivery_of(result)
    assert (result["state"], delivery.manifest["complete"]) == ("DELIVERED", True)
    assert 5 <= result["items"] < 3_000
    assert len(delivery.manifest["parts"]) <= 4
    assert delivery.lines == line.emulator.item_lines(growing["defaultDatasetId"], f"limit={result['items']}")
    line.emulator.post(f"/v2/actor-runs/{growing['id']}/abort")


@pytest.mark.thorough
@pytest.mark.parametrize("growing", [100], indirect=True)
def test_rows_from_a_growing_datasets_end_are_not_complete(line, growing):
    collect = {"desc": True, "page_items": 40}
    result = line.submit({"dataset_id": growing["defaultDatasetId"], "collect": collect}).get(timeout=120)
    assert (result["state"], result["reason"]["code"]) == ("PARTIAL", "dataset-grew")
    assert not delivery_of(result).manifest["complete"]
    line.emulator.post(f"/v2/actor-runs/{growing['id']}/abort")
    wait_for(lambda: line.emulator.run(growing["id"])["status"] == "ABORTED", what="the run's end")
    line.send("actorline.retry", result["key"]).get(timeout=120)
    job = wait_for(lambda: (job := line.ledger.load(result["key"])).state == "DELIVERED" and job, what="the rows")
    lines = line.emulator.item_lines(growing["defaultDatasetId"], "desc=1")
    assert delivery_of({"sink": job.sink_url}).lines == lines
    assert job.collection.items == lines.count(b"\n")

"""A dataset that is ordered by its id while somebody writes to it: the job ends, and says what it has."""

import pytest
from real_parts import delivery_of, wait_for


@pytest.fixture
def growing(line, request):
    """A run that goes on for so many seconds, and has some rows already."""
    secs = request.param
    actor = line.emulator.actor(f"writes-on-{secs}", items=100 * secs, duration_secs=secs)
    run = line.emulator.start(actor)
    dataset = f"/v2/datasets/{run['defaultDatasetId']}"
    wait_for(lambda: line.emulator.get(dataset)["data"]["itemCount"] >= 100, what="some rows")
    return run


@pytest.mark.parametrize("growing", [300], indirect=True)
def test_growing_dataset_is_delivered_as_it_was_in_few_pages(line, growing):
    result = line.submit({"dataset_id": growing["defaultDatasetId"]}).get(timeout=120)
    assert line.emulator.run(growing["id"])["status"] == "RUNNING"
    delivery = delivery_of(result)
    assert (result["state"], delivery.manifest["complete"]) == ("DELIVERED", True)
    assert 100 <= result["items"] < 30_000
    assert len(delivery.manifest["parts"]) <= 4
    assert delivery.lines == line.emulator.item_lines(growing["defaultDatasetId"], f"limit={result['items']}")


@pytest.mark.thorough
@pytest.mark.parametrize("growing", [15], indirect=True)
def test_rows_from_a_growing_datasets_end_are_not_complete(line, growing):
    collect = {"desc": True, "page_items": 40}
    result = line.submit({"dataset_id": growing["defaultDatasetId"], "collect": collect}).get(timeout=120)
    assert (result["state"], result["reason"]["code"]) == ("PARTIAL", "dataset-grew")
    assert not delivery_of(result).manifest["complete"]
    wait_for(lambda: line.emulator.run(growing["id"])["status"] == "SUCCEEDED", what="the run's end")
    line.send("actorline.retry", result["key"]).get(timeout=120)
    job = wait_for(lambda: (job := line.ledger.load(result["key"])).state == "DELIVERED" and job, what="the rows")
    lines = line.emulator.item_lines(growing["defaultDatasetId"], "desc=1")
    assert (job.collection.items, delivery_of({"sink": job.sink_url}).lines == lines) == (1_500, True)

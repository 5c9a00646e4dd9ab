"""Records: all of a store, whatever its size, as the platform has them."""

import json

import pytest
from real_parts import wait_for

from actorline.delivery.read_back import open_delivery


@pytest.mark.thorough
def test_all_records_of_a_large_store_are_delivered_each_once(line):
    actor = line.emulator.actor("archive", items=0, duration_secs=0.2, record_count=1_100)
    document = {
        "key": "archive",
        "actor": actor,
        "poll_interval_secs": 1,
        "input": {"page": 1},
        "collect": {"all_records": True},
    }
    result = line.submit(document).get(timeout=120)

    folder = line.home / "rows" / "archive"
    delivery = open_delivery(result["manifest"], sha256=result["manifest_sha256"])
    assert result["state"] == "DELIVERED"
    assert [index.records for index in delivery.manifest.record_indexes] == [1_000, 101]
    keys = [record.key for record in delivery.records()]
    assert len(keys) == len(set(keys)) == result["records"] == 1_101  # INPUT is a record too
    assert {path.name for path in (folder / "records").iterdir()} == {record.name[8:] for record in delivery.records()}
    assert json.loads((folder / "records" / "INPUT").read_text()) == {"page": 1}
    assert not list(folder.rglob(".*.tmp"))


def test_an_unreadable_record_makes_the_job_partial(line):
    records = {name: {"content_type": "text/plain", "body": name} for name in ("GOOD", "BAD", "LOST")}
    actor = line.emulator.actor("half", items=3, duration_secs=0.2, records=records)
    line.emulator.faults(
        {
            "method": "GET",
            "path_regex": "/records/BAD$",
            "action": "status",
            "status": 400,
            "type": "invalid-request",
            "message": "broken",
            "times": 99,
        },
        {"method": "GET", "path_regex": "/records/LOST$", "action": "status", "status": 410, "type": "gone"},
    )
    document = {
        "key": "half",
        "actor": actor,
        "poll_interval_secs": 1,
        "collect": {"records": ["GOOD", "BAD", "LOST", "NEVER-WRITTEN"]},
    }
    result = line.submit(document).get(timeout=120)

    assert (result["state"], result["items"], result["records"]) == ("PARTIAL", 3, 1)
    assert (result["reason"]["code"], result["reason"]["platform_type"]) == ("record-unreadable", "invalid-request")
    assert result["reason"]["message"].startswith("2 records: The record BAD ")
    assert wait_for((line.home / "rows" / "half" / "records" / "GOOD").read_text) == "GOOD"


def test_a_record_of_any_allowed_key_is_delivered(line):
    keys = ["r" * 256, "r" * 255 + "s", "manifest.json", "_actorline.json", "_SUCCESS", "...", ".hid", "x'()!"]
    actor = line.emulator.actor("names", items=3, duration_secs=0.2, records={key: {"body": key} for key in keys})
    document = {"key": "names", "actor": actor, "poll_interval_secs": 1, "collect": {"records": keys}}
    result = line.submit(document).get(timeout=120)
    delivery = open_delivery(result["manifest"])
    assert (result["items"], result["reason"], [record.key for record in delivery.records()]) == (3, None, keys)
    for key in keys:
        with delivery.open_record(key) as file:
            assert json.load(file) == key

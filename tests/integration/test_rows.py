"""Every row, once: what is delivered against what the emulator generated, whatever the dataset and the network do."""

import json
from typing import Any

import pytest
from real_parts import delivery_of, wait_for


@pytest.fixture
def deliver(line):
    """Runs a job to its end and returns its result; `key` is new each time."""

    def run(actor: str, collect: dict[str, Any], *, within: float = 120, **fields: Any) -> dict[str, Any]:
        order = {"actor": actor, "poll_interval_secs": 1, "collect": {"records": [], **collect}, **fields}
        return line.submit(order).get(timeout=within)

    return run


def assert_whole(line, result, count, query=""):
    """The delivery is complete and its lines are, byte for byte, those that the emulator generated."""
    expected = line.emulator.expected(result["dataset_id"], query)
    delivery = delivery_of(result)
    assert (result["state"], result["items"], expected["count"]) == ("DELIVERED", count, count)
    assert (delivery.manifest["complete"], "_SUCCESS" in delivery.files) == (True, True)
    assert delivery.sha256 == expected["sha256"]
    assert len([part for part in delivery.files if part.startswith("part-")]) == len(delivery.manifest["parts"])


@pytest.mark.parametrize(
    ("items", "page_items", "parts"),
    [(0, None, 0), (1, None, 1), (250, 250, 1), (249, 250, 1), (251, 250, 2), (500, 250, 2), (1300, 100, 13)],
)
def test_dataset_of_any_size_is_delivered_whole(line, deliver, items, page_items, parts):
    actor = line.emulator.actor(f"sized-{items}", items=items, duration_secs=0)
    result = deliver(actor, {"page_items": page_items})
    assert_whole(line, result, items)
    assert result["pages"] == parts


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("total-too-low", {"initial_total": 10, "counter_lag_secs": 1.5}),
        ("total-zero", {"initial_total": 0, "counter_lag_secs": 1.5}),
        ("total-late", {"counter_lag_secs": 60}),
    ],
)
def test_rows_that_the_counters_do_not_name_yet_are_delivered(line, deliver, name, script):
    actor = line.emulator.actor(name, items=900, duration_secs=0, **script)
    assert_whole(line, deliver(actor, {"page_items": 200}), 900)


def test_limit_and_offset_cut_the_dataset_exactly(line, deliver):
    actor = line.emulator.actor("cut-out", items=1200, duration_secs=0)
    result = deliver(actor, {"page_items": 100, "offset": 333, "limit": 450})
    assert_whole(line, result, 450, "offset=333&limit=450")
    parts = delivery_of(result).manifest["parts"]
    assert [(part["offset"], part["scanned"]) for part in parts] == [
        *((333 + 100 * n, 100) for n in range(4)),
        (733, 50),
    ]


def test_limit_and_offset_past_the_end_deliver_what_exists(line, deliver):
    actor = line.emulator.actor("cut-short", items=300, duration_secs=0)
    assert_whole(line, deliver(actor, {"offset": 250, "limit": 1000}), 50, "offset=250")
    assert_whole(line, deliver(actor, {"offset": 5000}), 0, "offset=5000")


@pytest.mark.parametrize(
    ("collect", "query", "rows"),
    [
        ({"skip_empty": True}, "skipEmpty=1", 2997),
        ({"clean": True}, "clean=1", 2997),
        ({"skip_hidden": True, "fields": ["index", "#debug"]}, "skipHidden=1&fields=index,%23debug", 3000),
        ({"fields": ["index"], "output_fields": ["n"], "clean": True}, "fields=index&outputFields=n&clean=1", 2997),
        ({"omit": ["index"], "flatten": ["address"]}, "omit=index&flatten=address", 3000),
        ({"desc": True}, "desc=1", 3000),
    ],
)
def test_filtered_rows_are_those_of_one_single_answer(line, deliver, collect, query, rows):
    actor = line.emulator.actor("filtered", items=3000, duration_secs=0)
    result = deliver(actor, {"page_items": 700, **collect})
    assert (result["state"], result["scanned"], result["items"]) == ("DELIVERED", 3000, rows)
    assert delivery_of(result).lines == line.emulator.item_lines(result["dataset_id"], query)


def test_page_from_which_a_filter_drops_every_row_is_not_the_end(line, deliver):
    actor = line.emulator.actor("all-dropped", items=1000, duration_secs=0)
    result = deliver(actor, {"page_items": 100, "fields": ["nowhere"], "skip_empty": True})
    assert (result["state"], result["scanned"], result["items"]) == ("DELIVERED", 1000, 0)
    assert delivery_of(result).lines == b""


def test_unwound_rows_outnumber_the_items_and_are_all_there(line, deliver):
    actor = line.emulator.actor("unwound", items=1000, duration_secs=0)
    result = deliver(actor, {"page_items": 300, "unwind": ["offers"]})
    expected = line.emulator.item_lines(result["dataset_id"], "unwind=offers")
    assert result["scanned"] == 1000
    assert result["items"] == expected.count(b"\n") > 1000
    assert delivery_of(result).lines == expected


def test_uncompressed_parts_hold_the_same_rows(line, deliver):
    actor = line.emulator.actor("plain", items=700, duration_secs=0)
    result = deliver(actor, {"page_items": 300}, sink={"compression": "none"})
    assert_whole(line, result, 700)
    assert {"part-00000.jsonl", "part-00001.jsonl", "part-00002.jsonl"} < delivery_of(result).files


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "cut_body", "after_bytes": 3000, "times": 2},
        {"action": "cut_body", "after_bytes": 0, "times": 2},
        {"action": "reset_before", "times": 2},
        {"action": "reset_after", "times": 2},
        {"action": "status", "status": 500, "times": 3},
        {"action": "status", "status": 502, "html": "<html>Bad gateway</html>", "times": 3},
        {"action": "status", "status": 200, "html": "<html>Maintenance</html>", "times": 2},
        {"action": "status", "status": 429, "type": "rate-limit-exceeded", "times": 3},
    ],
    ids=lambda fault: f"{fault['action']}-{fault.get('status', fault.get('after_bytes', ''))}",
)
def test_broken_answers_are_mended_without_a_wrong_row(line, deliver, faults, fault):
    actor = line.emulator.actor("mended", items=1000, duration_secs=0)
    faults({"method": "GET", "path_regex": "/items$", **fault})
    result = deliver(actor, {"page_items": 250})
    assert_whole(line, result, 1000)
    asked = line.emulator.requests("GET", f"/v2/datasets/{result['dataset_id']}/items")
    assert len(asked) == 4 + 1 + fault["times"]  # each page, the read of nothing that proves the end, each fault


NOT_FOUND = {"action": "status", "status": 404, "type": "record-not-found", "path_regex": "/items$", "nth": 2}


def test_page_that_is_not_found_once_is_asked_for_again(line, deliver, faults):
    actor = line.emulator.actor("not-found-once", items=400, duration_secs=0)
    faults(NOT_FOUND)
    assert_whole(line, deliver(actor, {"page_items": 200}), 400)
    assert len(line.emulator.runs_of(actor)) == 1


@pytest.mark.thorough
def test_page_that_stays_unreadable_makes_it_partial(line, deliver, faults):
    actor = line.emulator.actor("unreadable", items=400, duration_secs=0)
    faults({**NOT_FOUND, "times": 99})
    result = deliver(actor, {"page_items": 200}, within=120)
    assert (result["state"], result["reason"]["code"]) == ("PARTIAL", "page-unreadable")
    delivery = delivery_of(result)
    assert (delivery.manifest["complete"], "_SUCCESS" in delivery.files) == (False, False)
    rows = [json.loads(line)["index"] for line in delivery.lines.splitlines() if line != b"{}"]
    assert len(set(rows)) == len(rows) == result["items"] == 200
    line.emulator.end_faults()
    line.send("actorline.retry", result["key"]).get(timeout=120)
    job = wait_for(lambda: (job := line.ledger.load(result["key"])).state == "DELIVERED" and job, what="the rest")
    assert (job.collection.items, len(line.emulator.runs_of(actor))) == (400, 1)


@pytest.mark.parametrize("page_items", [None, 100])
def test_view_that_does_not_exist_ends_the_job_after_two_tries(line, page_items):
    key = f"no-such-view-{page_items}"
    actor = line.emulator.actor("no-such-view", items=4_000, duration_secs=0)
    collect = {"records": [], "view": "overvieu", "page_items": page_items}
    with pytest.raises(Exception, match="overvieu"):
        line.submit({"key": key, "actor": actor, "poll_interval_secs": 1, "collect": collect}).get(timeout=120)
    job = line.ledger.load(key)
    assert (job.state, job.reason.code, job.reason.billed) == ("FAILED", "document-invalid", True)
    assert job.reason.platform_type == "requested-dataset-view-does-not-exist"
    assert "`collect.view` 'overvieu' isn't a view of this dataset" in job.reason.message
    assert f"order dataset_id {job.run.dataset_id} with another view" in job.reason.message
    asked = line.emulator.requests("GET", f"/v2/datasets/{job.run.dataset_id}/items")
    pages = {request["query"].get("offset") for request in asked}
    assert len(asked) == 2 * len(pages), "each page that was asked for was asked for once more"


@pytest.mark.thorough
@pytest.mark.parametrize(("status", "kind"), [(402, "dataset-locked"), (403, "insufficient-permissions")])
def test_refusal_of_the_rows_keeps_the_platforms_type(line, faults, status, kind):
    actor = line.emulator.actor(f"locked-{status}", items=40, duration_secs=0)
    faults({"method": "GET", "path_regex": "/items$", "action": "status", "status": status, "type": kind, "times": 99})
    order = {"key": f"locked-{status}", "actor": actor, "poll_interval_secs": 1, "collect": {"records": []}}
    with pytest.raises(Exception, match=kind):
        line.submit(order).get(timeout=120)
    reason = line.ledger.load(f"locked-{status}").reason
    assert (reason.code, reason.platform_type) == ("page-unreadable", kind)


def test_faulty_replies_cost_little_more_than_their_pages(line, deliver, faults):
    kinds = [{"action": "cut_body", "after_bytes": 300}, {"action": "status", "status": 500}, {"action": "reset_after"}]
    faults(*({**kinds[at % 3], "path_regex": "/items$", "nth": 20 * (at + 1)} for at in range(6)))
    actor = line.emulator.actor("five-in-a-hundred", items=6_000, duration_secs=0)
    result = deliver(actor, {"page_items": 50})
    assert result["items"] == 6_000
    requests = line.emulator.requests("GET", f"/v2/datasets/{result['dataset_id']}/items")
    assert sum(request["bytes_out"] for request in requests) <= 1.2 * result["bytes"]

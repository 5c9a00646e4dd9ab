"""Placing orders: one key is one job, callers join it, and a bad order changes nothing."""

import json
import re
from datetime import date

import pytest
from callers import refusal
from real_parts import wait_for


def test_caller_sees_progress_while_the_run_goes_on(line):
    actor = line.emulator.actor("progress", items=100_000, duration_secs=600)
    order = line.submit({"key": "progress", "actor": actor, "poll_interval_secs": 1})
    seen = wait_for(lambda: order.state == "PROGRESS" and order.info.get("run_status") == "RUNNING" and order.info)
    counted = {"items", "items_total", "pages", "bytes", "items_per_sec", "eta_secs", "cost_usd"}
    assert set(seen) == {"key", "state", "run_id", "run_status", *counted}
    assert (seen["key"], seen["state"]) == ("progress", "RUNNING")
    line.emulator.post(f"/v2/actor-runs/{seen['run_id']}/abort")
    assert order.get(timeout=120)["run_id"] == seen["run_id"]
    assert order.state == "SUCCESS"


def test_two_callers_of_one_key_share_one_paid_run(line):
    actor = line.emulator.actor("joined", items=300, duration_secs=1)
    document = {"key": "joined", "actor": actor, "input": {"a": 1, "b": 2}, "poll_interval_secs": 1}
    reordered = dict(reversed(document.items())) | {"input": {"b": 2, "a": 1}, "labels": {"team": "prices"}}
    first, second = line.submit(document), line.submit(reordered)
    assert first.get(timeout=120) == second.get(timeout=120)
    assert len(line.emulator.starts(actor)) == 1


def test_caller_after_the_end_gets_the_result_at_once(line):
    actor = line.emulator.actor("late", items=300, duration_secs=0)
    document = {"key": "late", "actor": actor, "poll_interval_secs": 1}
    result = line.submit(document).get(timeout=120)
    assert line.submit(document).get(timeout=120) == result
    assert len(line.emulator.starts(actor)) == 1


def test_caller_after_a_failed_end_gets_it_and_no_new_run(line):
    document = {"key": "late-and-bad", "actor": "demo/nobody-at-all"}
    assert refusal(line.submit(document)) == refusal(line.submit(document))
    assert len(line.emulator.starts("demo/nobody-at-all")) == 1


def test_order_without_a_key_is_a_job_of_its_own(line):
    actor = line.emulator.actor("keyless", items=10, duration_secs=0)
    document = {"actor": actor, "poll_interval_secs": 1}
    first, second = line.submit(document), line.submit(document)
    assert first.get(timeout=120)["key"] != second.get(timeout=120)["key"]
    assert len(line.emulator.runs_of(actor)) == 2


def test_other_body_under_a_used_key_is_refused_with_hashes(line):
    actor = line.emulator.actor("conflict", items=10, duration_secs=0)
    line.submit({"key": "conflict", "actor": actor, "poll_interval_secs": 1}).get(timeout=120)
    wait_for(lambda: not line.ledger.callers.of("conflict"), what="the first caller's being answered")
    before, events = kept(line, "conflict"), line.events("conflict")
    reason = refusal(line.submit({"key": "conflict", "actor": actor, "poll_interval_secs": 2}))
    assert (reason["code"], reason["billed"]) == ("conflict", False)
    existing, ordered = re.findall(r"\b[0-9a-f]{64}\b", reason["message"])
    assert existing == before["hash"] != ordered
    assert "which differs in poll_interval_secs: its hash" in reason["message"]
    said = refusal(line.submit({"key": "conflict", "actor": actor, "poll_interval_secs": 1, "input": {"q": "word"}}))
    assert "which differs in input: its hash" in said["message"]
    assert kept(line, "conflict") == before
    assert line.events("conflict") == events
    assert line.ledger.callers.of("conflict") == {}
    assert len(line.emulator.starts(actor)) == 1


def kept(line, key):
    """All that the ledger keeps of a job, but what upkeep notes: that nobody waits any more, that figures stand."""
    job = line.ledger.redis.hgetall(line.ledger.name("job", key))
    return {name: value for name, value in job.items() if name not in {"last_change", "figures_settled"}}


BAD = {
    "unknown-field": ({"polling_interval_secs": 5}, 'is not known (did you mean "poll_interval_secs"?)'),
    "camel-case": ({"options": {"timeoutSecs": 5}}, 'options.timeoutSecs: is not known (did you mean "timeout_secs"?)'),
    "two-targets": ({"run_id": "abc"}, "give exactly one of actor, actor_task, run_id, dataset_id; actor and run_id"),
    "no-target": ({"actor": None}, "none is given"),
    "odd-memory": ({"options": {"memory_mbytes": 1000}}, "memory_mbytes: must be a power of 2: use 512 or 1024"),
    "sink-outside": ({"sink": {"url": "file:///tmp/elsewhere/"}}, "is outside the allowed roots"),
    "sink-above": ({"sink": {"url": "file:///{key}/../../tmp/"}}, "is the folder of all jobs' sinks"),
    "sink-unknown": ({"sink": {"url": "ftp://host/rows/"}}, "not ftp"),
    "wrong-type": ({"poll_interval_secs": "5"}, "poll_interval_secs: must be a valid number"),
    "bad/key": ({}, "key: has characters or a length that are not allowed"),
}


@pytest.mark.parametrize("key", BAD)
def test_bad_order_is_refused_and_leaves_nothing_behind(line, key):
    actor = line.emulator.actor("never-started", items=1)
    fields, said = BAD[key]
    jobs = len(line.ledger.redis.keys(line.ledger.name("job", "*")))
    reason = refusal(line.submit({"key": key, "actor": actor, **fields}))
    assert said in reason["message"]
    assert reason["billed"] is False
    assert reason["code"] == ("sink-refused" if key.startswith("sink") else "document-invalid")
    assert len(line.ledger.redis.keys(line.ledger.name("job", "*"))) == jobs
    assert line.ledger.load(key) is None
    assert line.emulator.starts(actor) == []


@pytest.mark.parametrize("document", [None, "apify/web-scraper", ["actor", "demo/rows"], 7])
def test_order_that_is_no_document_is_refused(line, document):
    assert "the document must be a JSON object" in refusal(line.submit(document))["message"]


def test_input_of_any_shape_and_typed_values_arrive(line):
    actor = line.emulator.actor("typed-values", items=1, duration_secs=0)
    pointer = {"__type__": "Pointer", "__value__": "x"}
    sent = {"since": date(2026, 11, 1), "at": pointer}
    result = line.submit({"key": "typed-values", "actor": actor, "input": sent, "poll_interval_secs": 1}).get(
        timeout=120
    )
    stored = line.emulator.read(f"/v2/key-value-stores/{result['key_value_store_id']}/records/INPUT")
    assert json.loads(stored) == {"since": "2026-11-01", "at": pointer}

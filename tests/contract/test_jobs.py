"""Every kind of job, with Prism between Actorline and the platform: nothing breaks the platform's document.

What is kept from Prism, and why: binary records, since it takes every body for text (tests/integration/test_targets.py
delivers them); responses 5xx, which the document doesn't describe; input for an Actor that is JSON but no object, which
the document refuses and the platform takes (`docs/platform-facts.md#input`).
"""

from typing import Any

import pytest
from real_parts import delivery_of, reason_of, wait_for

pytestmark = pytest.mark.usefixtures("document_is_kept")

OPTIONS = {
    "memory_mbytes": 512,
    "timeout_secs": 77,
    "build": "latest",
    "max_items": 9000,
    "max_total_charge_usd": 1.5,
    "restart_on_error": True,
}
COLLECTIONS = {
    "windows": {"page_items": 300, "offset": 100, "limit": 700},
    "clean": {"clean": True, "page_items": 500},
    "shaped": {
        "desc": True,
        "skip_empty": True,
        "skip_hidden": True,
        "fields": ["index", "tags", "address"],
        "output_fields": ["n", "tags", "address"],
        "omit": ["address"],
        "unwind": ["tags"],
        "flatten": ["n"],
    },
    "json": {"format": "json", "page_items": 500},
    "csv": {"format": "csv", "page_items": 500, "bom": True, "delimiter": ";", "skip_header_row": True},
    "xml": {"format": "xml", "bom": False, "xml_root": "rows", "xml_row": "row"},
    "html": {"format": "html"},
    "rss": {"format": "rss"},
    # not xlsx: Prism hands bytes on as text, which breaks the archive
    "parquet": {"format": "parquet", "page_items": 500},
}


@pytest.fixture
def order(line):
    return lambda **document: line.submit({"poll_interval_secs": 1, **document})


def failure(order: Any) -> tuple[str, str]:
    """The exception's name and the reason's code."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - a service sees their names only
        order.get(timeout=30)
    return type(raised.value).__name__, reason_of(raised.value)["code"]


def assert_every_row(line, result, count):
    expected = line.emulator.expected(result["dataset_id"])
    assert (result["items"], expected["count"]) == (count, count)
    assert delivery_of(result).sha256 == expected["sha256"]


@pytest.mark.parametrize("permission_level", ["LIMITED_PERMISSIONS", "FULL_PERMISSIONS"])
def test_actor_with_every_option(line, order, permission_level):
    actor = line.emulator.actor("optional", items=1200, duration_secs=1.5)
    options = {**OPTIONS, "force_permission_level": permission_level}
    result = order(actor=actor, input={"ünïcode": [1, None, {}]}, options=options).get(timeout=30)
    assert_every_row(line, result, 1200)
    assert set(line.emulator.starts(actor)[-1]["query"]) == {
        "memory",
        "timeout",
        "build",
        "maxItems",
        "maxTotalChargeUsd",
        "restartOnError",
        "forcePermissionLevel",
    }


def test_actor_task_with_every_option_it_has(line, order):
    actor = line.emulator.actor("configured", items=200, duration_secs=0)
    line.emulator.actor_task("saved", actor, input={"depth": 1})
    options = {**OPTIONS, "force_permission_level": "LIMITED_PERMISSIONS"}
    result = order(actor_task="demo/saved", input={"depth": 5}, options=options).get(timeout=30)
    assert_every_row(line, result, 200)


def test_input_that_is_absent(line, order):
    actor = line.emulator.actor("no-input", items=1, duration_secs=0)
    line.emulator.actor_task("no-input", actor)
    orders = [order(actor=actor), order(actor_task="demo/no-input")]
    assert [order.get(timeout=30)["state"] for order in orders] == ["DELIVERED"] * 2


@pytest.mark.parametrize("name", COLLECTIONS)
def test_rows_by_every_parameter(line, order, name):
    actor = line.emulator.actor("shaped", items=1500, duration_secs=0)
    result = order(actor=actor, collect=COLLECTIONS[name]).get(timeout=30)
    assert (result["state"], result["items"] > 0) == ("DELIVERED", True)


def test_rows_while_their_counters_lag(line, order):
    actor = line.emulator.actor("lagging", items=900, duration_secs=0, initial_total=0, counter_lag_secs=1.5)
    assert_every_row(line, order(actor=actor).get(timeout=30), 900)


def test_run_and_dataset_that_exist(line, order, start_elsewhere):
    run = start_elsewhere(line.emulator.actor("elsewhere", items=400, duration_secs=1))
    result = order(run_id=run["id"]).get(timeout=30)
    assert_every_row(line, result, 400)
    assert order(dataset_id=run["defaultDatasetId"]).get(timeout=30)["items"] == 400


def test_records_named_and_all_records(line, order):
    records = {
        "OUTPUT": {"body": {"answer": 42}},
        "it's_(a)-page!": {"content_type": "text/html; charset=utf-8", "body": "<p>é</p>"},
    }
    actor = line.emulator.actor("records", items=0, duration_secs=0, records=records, record_count=20)
    named = {"dataset": False, "records": [*records, "absent"]}
    assert order(actor=actor, collect=named).get(timeout=30)["records"] == 2
    result = order(actor=actor, collect={"dataset": False, "all_records": True}).get(timeout=30)
    assert result["records"] == 1 + 2 + 20  # INPUT is a record as well


@pytest.mark.parametrize(("status", "code"), [("FAILED", "run-failed"), ("TIMED-OUT", "run-timed-out")])
def test_partial_rows_of_a_run_that_did_not_succeed(line, order, status, code):
    actor = line.emulator.actor("partial", items=300, duration_secs=0, final_status=status, status_message="Blocked")
    result = order(actor=actor).get(timeout=30)
    assert (result["state"], result["reason"]["code"]) == ("PARTIAL", code)
    assert_every_row(line, result, 300)


def test_cancel_and_deadline_abort_the_run(line, order):
    actor = line.emulator.actor("endless", items=300, duration_secs=600)
    cancelled = order(key="cancelled", actor=actor)
    expired = order(key="expired", actor=actor, deadline_secs=2)
    wait_for(lambda: line.state("cancelled") == "RUNNING", what="the run that is to be cancelled")
    line.cancel("cancelled")
    assert failure(cancelled) == ("JobCancelled", "cancelled")
    assert failure(expired) == ("JobExpired", "deadline")
    assert [run["status"] for run in line.emulator.runs_of(actor)] == ["ABORTED", "ABORTED"]


def test_lost_reply_is_searched_for(line, order, faults):
    actor = line.emulator.actor("lost", items=300, duration_secs=0)
    faults({"action": "reset_after", "method": "POST", "path_regex": "demo~lost/runs$", "nth": 1})
    result = order(actor=actor).get(timeout=40)
    assert_every_row(line, result, 300)
    assert (result["adopted"], len(line.emulator.starts(actor))) == (True, 1)
    assert [request for request in line.emulator.requests("GET") if request["query"].get("startedAfter")] != []


def test_start_that_has_to_wait(line, order, faults):
    refusals = {402: "actor-memory-limit-exceeded", 408: "operation-timed-out", 429: "rate-limit-exceeded"}
    actors = [line.emulator.actor(f"waiting-{status}", items=100, duration_secs=0) for status in refusals]
    faults(
        *(
            {
                "action": "status",
                "status": status,
                "type": type_,
                "path_regex": f"demo~waiting-{status}/runs$",
                "nth": 1,
            }
            for status, type_ in refusals.items()
        )
    )
    orders = [order(actor=actor) for actor in actors]
    assert [order.get(timeout=40)["state"] for order in orders] == ["DELIVERED"] * 3
    assert [len(line.emulator.starts(actor)) for actor in actors] == [2, 2, 2]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ({"actor": "demo/nobody"}, "actor-not-found"),
        ({"actor_task": "demo/nobody"}, "actor-not-found"),
        ({"run_id": "nobodysRun"}, "run-not-found"),
        ({"dataset_id": "nobodysRows"}, "dataset-not-found"),
    ],
)
def test_target_that_does_not_exist(order, target, code):
    assert failure(order(**target)) == ("JobRefused", code)


@pytest.mark.parametrize(
    ("status", "type_", "code"),
    [
        (400, "invalid-input", "input-invalid"),
        (401, "user-or-token-not-found", "auth"),
        (402, "not-enough-usage-to-run-paid-actor", "forbidden"),
        (403, "full-permission-actor-not-approved", "forbidden"),
        (413, "request-too-large", "input-invalid"),
    ],
)
def test_start_that_is_refused(line, order, faults, status, type_, code):
    actor = line.emulator.actor("refused", items=1)
    faults({"action": "status", "status": status, "type": type_, "path_regex": "demo~refused/runs$", "nth": 1})
    assert failure(order(actor=actor)) == ("JobRefused", code)

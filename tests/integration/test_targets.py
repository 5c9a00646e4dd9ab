"""What a job may be about: an Actor, an Actor task, a run or a dataset that exists; and the records of its run."""

import base64
import json
from typing import Any

import pytest
import requests
from real_parts import TOKEN, delivery_of, reason_of, wait_for

BINARY = bytes(range(256)) * 50


@pytest.fixture
def deliver(line):
    """Runs a job to its end and returns its result."""
    return lambda **document: line.submit({"poll_interval_secs": 1, **document}).get(timeout=120)


def started_elsewhere(line, actor: str) -> dict[str, Any]:
    """A run that somebody else started."""
    url = f"{line.emulator.url}/v2/actors/{actor.replace('/', '~')}/runs"
    response = requests.post(url, json={}, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
    return response.json()["data"]


def input_of(line, result: dict[str, Any]) -> Any:
    """The input that the run was given, as the platform keeps it."""
    return line.emulator.get(f"/v2/key-value-stores/{result['key_value_store_id']}/records/INPUT")


# -- an Actor, an Actor task


@pytest.mark.parametrize("spelling", ["user/name", "user~name", "id"])
def test_actor_runs_by_each_of_its_names(line, deliver, spelling):
    actor = line.emulator.actor("named", items=20, duration_secs=0)
    id = line.emulator.get("/v2/actors/demo~named")["data"]["id"]  # noqa: A001
    name = {"user/name": actor, "user~name": actor.replace("/", "~"), "id": id}[spelling]
    result = deliver(actor=name, input={"ünïcode": "line\nbreak", "deep": {"er": [1, None, {}]}})
    assert (result["state"], result["items"], result["actor"]) == ("DELIVERED", 20, name)
    assert input_of(line, result) == {"ünïcode": "line\nbreak", "deep": {"er": [1, None, {}]}}


def test_options_of_the_order_are_those_of_the_run(line, deliver):
    actor = line.emulator.actor("optional", items=1, duration_secs=0)
    options = {"memory_mbytes": 512, "timeout_secs": 77, "build": "latest", "max_items": 9, "max_total_charge_usd": 1.5}
    result = deliver(actor=actor, options=options)
    given = line.emulator.run(result["run_id"])["options"]
    assert {
        name: given[name] for name in ("memoryMbytes", "timeoutSecs", "build", "maxItems", "maxTotalChargeUsd")
    } == {
        "memoryMbytes": 512,
        "timeoutSecs": 77,
        "build": "latest",
        "maxItems": 9,
        "maxTotalChargeUsd": 1.5,
    }


@pytest.mark.parametrize("spelling", ["user/name", "user~name", "id"])
def test_actor_task_runs_by_each_name_with_its_overrides(line, deliver, spelling):
    actor = line.emulator.actor("configured", items=20, duration_secs=0)
    saved = line.emulator.actor_task("saved", actor, input={"depth": 1, "country": "CH"})
    name = {"user/name": "demo/saved", "user~name": "demo~saved", "id": saved["id"]}[spelling]
    result = deliver(actor_task=name, input={"depth": 5})
    assert (result["state"], result["items"]) == ("DELIVERED", 20)
    assert input_of(line, result) == {"depth": 5, "country": "CH"}
    assert line.emulator.run(result["run_id"])["actorTaskId"] == saved["id"]


# -- a run that exists


def test_run_taken_over_is_polled_and_collected_without_a_start(line, deliver):
    actor = line.emulator.actor("taken-over", items=600, duration_secs=1.5)
    run = started_elsewhere(line, actor)
    result = deliver(run_id=run["id"])
    assert (result["state"], result["items"], result["run_id"], result["adopted"]) == (
        "DELIVERED",
        600,
        run["id"],
        True,
    )
    assert delivery_of(result).sha256 == line.emulator.expected(run["defaultDatasetId"])["sha256"]
    assert len(line.emulator.runs_of(actor)) == 1


@pytest.mark.parametrize(("own", "status"), [(False, "RUNNING"), (True, "ABORTED")])
def test_cancel_aborts_a_run_taken_over_only_if_it_is_our_own(line, own, status):
    actor = line.emulator.actor(f"taken-over-{own}", items=600, duration_secs=600)
    run = started_elsewhere(line, actor)
    key = f"taken-over-{own}"
    order = line.submit({"key": key, "run_id": run["id"], "own": own, "poll_interval_secs": 1})
    wait_for(lambda: line.state(key) == "RUNNING", what="the take-over")
    line.cancel(key)
    with pytest.raises(Exception) as raised:  # noqa: PT011
        order.get(timeout=120)
    assert type(raised.value).__name__ == "JobCancelled"
    assert line.emulator.run(run["id"])["status"] == status
    aborts = line.emulator.requests("POST", f"/v2/actor-runs/{run['id']}/abort")
    assert bool(aborts) is own


@pytest.mark.parametrize(
    ("target", "code"),
    [({"run_id": "nobodysRun"}, "run-not-found"), ({"dataset_id": "nobodysRows"}, "dataset-not-found")],
)
def test_unknown_run_or_dataset_is_refused(deliver, target, code):
    with pytest.raises(Exception) as raised:  # noqa: PT011
        deliver(**target)
    assert type(raised.value).__name__ == "JobRefused"
    assert (reason_of(raised.value)["code"], reason_of(raised.value)["billed"]) == (code, False)


# -- a dataset that exists


def test_dataset_is_collected_without_a_run(line, deliver):
    actor = line.emulator.actor("dataset-only", items=700, duration_secs=0)
    dataset_id = started_elsewhere(line, actor)["defaultDatasetId"]
    result = deliver(dataset_id=dataset_id, collect={"page_items": 300})
    assert (result["state"], result["items"], result["run_id"], result["cost_usd"]) == ("DELIVERED", 700, None, None)
    delivery = delivery_of(result)
    assert delivery.sha256 == line.emulator.expected(dataset_id)["sha256"]
    assert delivery.manifest["run"] is None
    assert delivery.manifest["target"] == {"dataset_id": dataset_id}
    assert len(line.emulator.runs_of(actor)) == 1


# -- records


def test_records_are_delivered_as_they_are_stored(line, deliver):
    records = {
        "OUTPUT": {"body": {"answer": 42, "text": "ünïcode"}},
        "shot.png": {"content_type": "image/png", "base64": base64.b64encode(BINARY).decode()},
        "page": {"content_type": "text/html; charset=utf-8", "body": "<p>é</p>"},
    }
    actor = line.emulator.actor("records", items=0, duration_secs=0, records=records)
    result = deliver(actor=actor, collect={"dataset": False, "records": ["OUTPUT", "shot.png", "page", "absent"]})
    assert (result["state"], result["records"], result["items"]) == ("DELIVERED", 3, 0)
    delivery = delivery_of(result)
    assert json.loads((delivery.folder / "records/OUTPUT").read_bytes()) == {"answer": 42, "text": "ünïcode"}
    assert (delivery.folder / "records/shot.png").read_bytes() == BINARY
    assert (delivery.folder / "records/page").read_text() == "<p>é</p>"
    stored = {record["key"]: record for record in delivery.manifest["records"]}
    assert stored["shot.png"]["content_type"] == "image/png"
    assert stored["shot.png"]["bytes"] == len(BINARY)
    assert set(stored) == {"OUTPUT", "shot.png", "page"}


def test_output_is_delivered_by_default_if_there_is_one(line, deliver):
    with_output = line.emulator.actor("output", items=5, duration_secs=0, records={"OUTPUT": {"body": [1]}})
    without = line.emulator.actor("no-output", items=5, duration_secs=0)
    result = deliver(actor=with_output)
    assert (result["state"], result["items"], result["records"]) == ("DELIVERED", 5, 1)
    result = deliver(actor=without)
    assert (result["state"], result["items"], result["records"]) == ("DELIVERED", 5, 0)
    assert delivery_of(result).manifest["records"] == []


def test_record_of_a_failed_run_is_delivered_as_a_partial_result(line, deliver):
    records = {"OUTPUT": {"body": {"error": "blocked"}}}
    actor = line.emulator.actor("failed-output", items=0, duration_secs=0, final_status="FAILED", records=records)
    result = deliver(actor=actor)
    assert (result["state"], result["records"], result["reason"]["code"]) == ("PARTIAL", 1, "run-failed")
    assert json.loads((delivery_of(result).folder / "records/OUTPUT").read_bytes()) == {"error": "blocked"}


# -- sinks


def test_sink_placeholders_are_filled_in(line, deliver):
    actor = line.emulator.actor("placed", items=5, duration_secs=0)
    root = (line.home / "rows").as_uri()
    result = deliver(key="placed", actor=actor, sink={"url": f"{root}/_by-date/{{date}}/{{key}}-{{run_id}}/"})
    assert result["sink"] == f"{root}/_by-date/{result['queued_at'][:10]}/placed-{result['run_id']}/"
    assert delivery_of(result).manifest["totals"]["items"] == 5


def test_sink_of_another_job_is_refused_before_money_is_spent(line, deliver):
    actor = line.emulator.actor("crowded", items=5, duration_secs=0)
    sink = {"url": (line.home / "rows/_crowded/").as_uri()}
    deliver(key="crowded-1", actor=actor, sink=sink)
    with pytest.raises(Exception) as raised:  # noqa: PT011
        deliver(key="crowded-2", actor=actor, sink=sink)
    assert type(raised.value).__name__ == "JobRefused"
    assert reason_of(raised.value)["code"] == "sink-refused"
    assert len(line.emulator.starts(actor)) == 1
